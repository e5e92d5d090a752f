"""Every error of Paddock in MLflow's words."""

import json

import pytest

from paddock.kernel import errors, refusals
from paddock.kernel.errors import PaddockError
from paddock.mlflow_api import answer_problem
from paddock.wire import describe_problem, describe_unexpected


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidInput, 400, "INVALID_PARAMETER_VALUE"),
        (errors.LimitExceeded, 400, "INVALID_PARAMETER_VALUE"),
        (errors.NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
        (errors.AlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"),
        (errors.Conflict, 400, "INVALID_STATE"),
        (errors.Forbidden, 403, "PERMISSION_DENIED"),
        (errors.Unavailable, 503, "TEMPORARILY_UNAVAILABLE"),
        (errors.QueueFull, 503, "TEMPORARILY_UNAVAILABLE"),
        (errors.StorageFull, 507, "RESOURCE_EXHAUSTED"),
        (errors.IntegrityError, 500, "INTERNAL_ERROR"),
        (refusals.RouteNotFound, 404, "ENDPOINT_NOT_FOUND"),
        (refusals.MethodNotAllowed, 405, "BAD_REQUEST"),
        (refusals.RequestTooSlow, 408, "DEADLINE_EXCEEDED"),
        (refusals.BodyTooLarge, 413, "INVALID_PARAMETER_VALUE"),
        (refusals.MisdirectedRequest, 421, "BAD_REQUEST"),
    ],
)
def test_error_has_mlflow_s_code(error: type[PaddockError], status: int, code: str):
    """The code and the status are those that MLflow's clients act on; the message is ours."""
    answer = answer_problem(describe_problem(error("what is true instead"), "r1"))

    assert (answer.status, answer.media_type) == (status, "application/json")
    assert json.loads(answer.body) == {"error_code": code, "message": "what is true instead"}


def test_hint_of_a_fault_is_told():
    """Who cannot be served is told what helps."""
    problem = describe_problem(errors.StorageFull("no space is left", hint="free some"), "r1")

    assert json.loads(answer_problem(problem).body)["message"] == "no space is left (free some)"


def test_client_is_told_when_to_come_back():
    """What is unavailable for now carries Retry-After, as everywhere."""
    answer = answer_problem(describe_problem(errors.Unavailable("busy"), "r1"))

    assert int(answer.headers["Retry-After"]) > 0


def test_fault_of_ours_says_nothing_of_itself():
    """An unforeseen fault is INTERNAL_ERROR without a trace."""
    answer = answer_problem(describe_unexpected("r1"))

    assert (answer.status, json.loads(answer.body)["error_code"]) == (500, "INTERNAL_ERROR")
