"""Errors as MLflow's clients know them: `{"error_code": "...", "message": "..."}`.

Handlers raise the errors of the one tree; here, and nowhere else, they get MLflow's codes. A Conflict that
MLflow calls an invalid parameter is raised as InvalidInput.
"""

from collections.abc import Mapping

import msgspec

from paddock.kernel.errors import InvalidInput
from paddock.wire import Answer
from paddock.wire import answer_problem as answer_natively
from paddock.wire.structs import Problem

MAX_SHOWN = 200

_PREFIXES = (b"/api/2.0/", b"/api/3.0/", b"/ajax-api/", b"/get-artifact", b"/model-versions/")
# code of the problem -> MLflow's code and status
_BY_CODE: Mapping[str, tuple[str, int]] = {
    "route_not_found": ("ENDPOINT_NOT_FOUND", 404),
    "already_exists": ("RESOURCE_ALREADY_EXISTS", 400),
    "limit_exceeded": ("INVALID_PARAMETER_VALUE", 400),
}
# status of every other problem; one that is not listed is a fault of ours
_BY_STATUS: Mapping[int, tuple[str, int]] = {
    400: ("INVALID_PARAMETER_VALUE", 400),
    401: ("UNAUTHENTICATED", 401),
    403: ("PERMISSION_DENIED", 403),
    404: ("RESOURCE_DOES_NOT_EXIST", 404),
    405: ("BAD_REQUEST", 405),
    408: ("DEADLINE_EXCEEDED", 408),
    409: ("INVALID_STATE", 400),
    413: ("INVALID_PARAMETER_VALUE", 413),
    415: ("BAD_REQUEST", 415),
    421: ("BAD_REQUEST", 421),
    422: ("INVALID_PARAMETER_VALUE", 400),
    431: ("BAD_REQUEST", 431),
    503: ("TEMPORARILY_UNAVAILABLE", 503),
    507: ("RESOURCE_EXHAUSTED", 507),
}


class Refusal(msgspec.Struct, frozen=True):
    """The body of an answer to a request that was not done."""

    error_code: str
    message: str


def is_mlflow_path(raw_path: bytes) -> bool:
    """Say whether who asks for this path is a client of MLflow.

    >>> is_mlflow_path(b"/ajax-api/3.0/mlflow/traces"), is_mlflow_path(b"/api/v1/runs")
    (True, False)
    """
    return raw_path.startswith(_PREFIXES)


def answer_problem(problem: Problem) -> Answer:
    """Return `problem` in MLflow's form, with MLflow's status."""
    known = _BY_CODE.get(problem.code) or _BY_STATUS.get(problem.status)
    error_code, status = known or ("INTERNAL_ERROR", 500)
    hint = f" ({problem.hint})" if problem.hint and status >= 500 else ""
    body = msgspec.json.encode(Refusal(error_code, f"{problem.detail}{hint}"))
    return Answer(body, status, headers=answer_natively(problem).headers)


def missing_value(path: str) -> InvalidInput:
    """Return the error of a field that must be there.

    >>> missing_value("key").message
    "Missing value for required parameter 'key'."
    """
    return InvalidInput(f"Missing value for required parameter '{path}'.")


def invalid_value(path: str, value: object, words: str) -> InvalidInput:
    """Return the error of a field that is there and cannot be so.

    value: as it came, of any JSON type.

    >>> invalid_value("step", "x", "Step must be a whole number.").message
    'Invalid value "x" for parameter \\'step\\' supplied: Step must be a whole number.'
    """
    shown = msgspec.json.encode(value).decode()
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}..."
    return InvalidInput(f"Invalid value {shown} for parameter '{path}' supplied: {words}")


def not_active(kind: str, name: str) -> InvalidInput:
    """Return the error of something that is deleted and cannot be changed.

    >>> not_active("run", "ab12").message
    "The run ab12 must be in the 'active' state. Current state is deleted."
    """
    return InvalidInput(f"The {kind} {name} must be in the 'active' state. Current state is deleted.")
