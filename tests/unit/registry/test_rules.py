"""The history of an alias as a pure value."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.clock import EPOCH
from paddock.registry import AliasChange
from paddock.registry.rules import current_version, find_change_at, find_version_before, plan_move


def move(kind, to_version, at=EPOCH):
    return AliasChange(
        name="delay", alias="champion", kind=kind, to_version=to_version, reason="r", principal="ann", at=at
    )


@given(st.lists(st.one_of(st.integers(1, 9), st.none()), max_size=40))
def test_rollbacks_undo_promotions_like_a_stack(steps):
    """After any promotions and rollbacks the champion is what a stack of champions has on top."""
    history, stack = (), []
    for step in steps:
        if step is None:
            target = find_version_before(history)
            assert target == (stack[-2] if len(stack) > 1 else 0)
            if target:
                stack.pop()
                history = (*history, plan_move(history, move("rolled_back", target)))
        elif step != current_version(history):
            stack.append(step)
            history = (*history, plan_move(history, move("promoted", step)))

    assert current_version(history) == (stack[-1] if stack else 0)
    assert [change.sequence for change in history] == list(range(1, len(history) + 1))
    versions = [0, *(change.to_version for change in history)]
    assert [change.from_version for change in history] == versions[:-1]


def test_history_survives_a_clock_that_was_ahead():
    """A move recorded later but timed earlier is in force from its own time on."""
    first = plan_move((), move("promoted", 1, EPOCH))
    second = plan_move((first,), move("promoted", 2, EPOCH - timedelta(hours=1)))

    assert find_change_at((first, second), EPOCH).to_version == 2
    assert find_change_at((first, second), EPOCH - timedelta(minutes=30)).to_version == 2
    assert find_change_at((first, second), EPOCH - timedelta(hours=2)) is None
