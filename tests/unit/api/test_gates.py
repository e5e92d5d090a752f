"""One gate at a time, and by which gates."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paddock.api.gates import hold_gate, one_at_a_time
from paddock.app import App, open_app
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.refusals import ServerBusy
from paddock.kernel.settings import resolve_settings
from paddock.wire import Answer, Call
from paddock.wire.structs import DeclaredGate, HoldGate


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """Open an empty store, in a folder of its own without a paddock.toml."""
    monkeypatch.chdir(tmp_path)
    with closing(open_app(resolve_settings({"store": str(tmp_path / "store")}, {}, {}))) as opened:
        yield opened


def call(app: App, *gates: DeclaredGate) -> Call:
    body = HoldGate(rows="flights@2", label="late", gates=gates)
    return Call({"name": "delay", "version": "1"}, {}, app.actor, "r1", body=body)


def test_second_gate_is_refused_while_one_is_held(app: App):
    """It is told at once to come again, and may when the first one has ended."""
    has_begun, may_end = threading.Event(), threading.Event()

    def handle(_app: App, _call: Call) -> Answer:
        has_begun.set()
        assert may_end.wait(60)
        return Answer(b"held")

    act = one_at_a_time(handle)
    first = threading.Thread(target=act, args=(app, call(app)))
    first.start()
    assert has_begun.wait(60)

    with pytest.raises(ServerBusy, match="another gate is being held"):
        act(app, call(app))

    may_end.set()
    first.join()
    assert act(app, call(app)).body == b"held"


def test_gate_that_fails_makes_room_for_the_next(app: App):
    """An error ends the turn like an answer does."""
    act = one_at_a_time(hold_gate)

    for _ in range(2):
        with pytest.raises(NotFound, match="there is no model `delay`"):
            act(app, call(app, DeclaredGate(metric="roc_auc", at_least=0.6)))


def test_without_gates_those_of_the_server_count(app: App):
    """Its own paddock.toml is read; where it has none the error shows one, and no folder of the server."""
    with pytest.raises(InvalidInput, match="no gates were sent for model `delay`") as refused:
        hold_gate(app, call(app))
    Path("paddock.toml").write_text('[model.delay]\ngates = [{ metric = "roc_auc", at_least = 0.6 }]\n')

    with pytest.raises(NotFound, match="there is no model `delay`"):
        hold_gate(app, call(app))
    assert refused.value.hint == '[model.delay] gates = [{ metric = "roc_auc", at_least = 0.65 }]'
    assert str(Path.cwd()) not in refused.value.message
