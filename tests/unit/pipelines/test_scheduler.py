"""Which step runs when."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.pipelines import step
from paddock.pipelines.graph import StepCall
from paddock.pipelines.scheduler import run_graph


@step
def nothing() -> None:
    return None


@dataclass(frozen=True)
class Ended:
    """An outcome that remembers what it was given."""

    seen: tuple[int, ...]
    has_value: bool = True
    stop: BaseException | None = None
    is_light: bool = False

    def without_value(self) -> "Ended":
        return Ended(self.seen, self.has_value, self.stop, is_light=True)


def _calls(*needs: set[int]) -> list[StepCall]:
    return [StepCall(i, f"s{i}", nothing, {}, frozenset(need)) for i, need in enumerate(needs)]


def _skip(call: StepCall, missing: StepCall) -> Ended:
    return Ended((missing.position,), has_value=False)


@given(
    st.lists(st.sets(st.integers(0, 11), max_size=4), max_size=12),
    st.sets(st.integers(0, 11), max_size=2),
    st.integers(1, 4),
)
def test_each_runs_once_after_what_it_needs(drawn: list[set[int]], failing: set[int], parallel: int) -> None:
    """Each step runs once, after its needs; exactly those downstream of a failure are skipped."""
    calls = _calls(*({need for need in needs if need < i} for i, needs in enumerate(drawn)))
    ran: list[int] = []

    def run(call: StepCall, needed: Mapping[int, Ended]) -> Ended:
        assert set(needed) == set(call.needs)
        assert not any(outcome.is_light for outcome in needed.values())
        ran.append(call.position)
        return Ended(tuple(needed), has_value=call.position not in failing)

    outcomes = run_graph(calls, parallel=parallel, run=run, skip=_skip)

    dead = set(failing)
    for call in calls:
        if call.needs & dead:
            dead.add(call.position)
    skipped = {call.position for call in calls if call.needs & dead}
    assert sorted(ran) == [call.position for call in calls if call.position not in skipped]
    assert [outcome.has_value for outcome in outcomes] == [call.position not in dead for call in calls]
    assert all(ran.index(need) < ran.index(p) for p in ran for need in calls[p].needs)


def test_independent_steps_overlap() -> None:
    """Two steps run at the same time: each waits in the barrier for the other."""
    barrier = threading.Barrier(2, timeout=30)

    def run(call: StepCall, needed: Mapping[int, Ended]) -> Ended:
        barrier.wait()
        return Ended(())

    assert len(run_graph(_calls(set(), set()), parallel=2, run=run, skip=_skip)) == 2


def test_no_more_than_parallel_run_at_once() -> None:
    """The limit holds."""
    lock, running, most = threading.Lock(), [0], [0]

    def run(call: StepCall, needed: Mapping[int, Ended]) -> Ended:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        return Ended(())

    run_graph(_calls(*[set() for _ in range(50)]), parallel=3, run=run, skip=_skip)

    assert most[0] <= 3


def test_values_are_let_go_after_their_last_taker() -> None:
    """A value nobody needs any more is dropped, but for those that are kept."""
    calls = _calls(set(), {0}, {1})

    def run(call: StepCall, needed: Mapping[int, Ended]) -> Ended:
        return Ended(())

    outcomes = run_graph(calls, parallel=1, run=run, skip=_skip, keep={2})

    assert [outcome.is_light for outcome in outcomes] == [True, True, False]


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt()])
def test_fault_outside_a_step_reaches_the_caller(error: BaseException) -> None:
    """What the attempt itself raises ends the run in the caller's thread."""

    def run(call: StepCall, needed: Mapping[int, Ended]) -> Ended:
        raise error

    with pytest.raises(type(error)):
        run_graph(_calls(set()), parallel=1, run=run, skip=_skip)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(3)])
def test_step_that_stops_the_process_stops_the_caller(stop: BaseException) -> None:
    """What a step raised to end the process is raised in the caller's thread, and no other step starts."""
    ran: list[int] = []

    def run(call: StepCall, needed: Mapping[int, Ended]) -> Ended:
        ran.append(call.position)
        return Ended((), has_value=False, stop=stop)

    with pytest.raises(type(stop)) as caught:
        run_graph(_calls(set(), set()), parallel=1, run=run, skip=_skip)
    assert caught.value is stop
    assert ran == [0]
