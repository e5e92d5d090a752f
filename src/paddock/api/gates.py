"""Holding a gate beside the store: the model is run here, in a sandboxed worker, and not by who asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from paddock.api.binding import bind
from paddock.api.views import view_gate_report
from paddock.app import App
from paddock.kernel.errors import InvalidInput
from paddock.kernel.refs import ModelVersionRef, parse_version
from paddock.kernel.refusals import ServerBusy
from paddock.wire import Answer, Call, Permission, RouteSpec, answer_json, structs

if TYPE_CHECKING:
    from paddock.evaluation import GateSpec

PROJECT_FILE = Path("paddock.toml")

Handle = Callable[[App, Call], Answer]


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the route of gates. Who chooses them decides what may be promoted: it needs that permission."""
    return (
        RouteSpec(
            "POST",
            "/api/v1/models/{name}/versions/{version}/gate",
            Permission.PROMOTE,
            bind(app, one_at_a_time(hold_gate)),
            "Hold a version against its gates, and let it stand on the report; one gate is held at a time",
            request=structs.HoldGate,
            response=structs.GateReport,
            status=201,
            is_slow=True,
        ),
    )


def hold_gate(app: App, call: Call) -> Answer:
    from paddock.app import Exam
    from paddock.app import hold_gate as hold
    from paddock.models import WorkerPool

    wanted = call.read(structs.HoldGate)
    ref = ModelVersionRef(call.path["name"], parse_version("model", call.path["version"]))
    exam = Exam(wanted.rows, wanted.label, _gates_of(wanted, ref.name))
    with WorkerPool(app.objects) as workers:
        report = hold(app, workers, ref, exam, key=call.key)
    return answer_json(view_gate_report(report), status=201)


def one_at_a_time(handle: Handle) -> Handle:
    """Return `handle` for one call at a time; ServerBusy, which asks to come again, for any other."""
    is_taken = threading.Lock()

    @wraps(handle)
    def act(app: App, call: Call) -> Answer:
        if not is_taken.acquire(blocking=False):
            raise ServerBusy("another gate is being held, and one is held at a time; try again")
        try:
            return handle(app, call)
        finally:
            is_taken.release()

    return act


def _gates_of(wanted: structs.HoldGate, model: str) -> tuple[GateSpec, ...]:
    """Return the gates of the request; without any, those that this process declares for the model."""
    from paddock.app import find_gates
    from paddock.evaluation import GateSpec

    if wanted.gates:
        return tuple(msgspec.convert(each, GateSpec, from_attributes=True) for each in wanted.gates)
    gates = find_gates(PROJECT_FILE, model)
    if not gates:
        raise InvalidInput(
            f"no gates were sent for model `{model}`, and the server's `{PROJECT_FILE}` declares none",
            hint=f'[model.{model}] gates = [{{ metric = "roc_auc", at_least = 0.65 }}]',
        )
    return gates
