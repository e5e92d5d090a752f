"""Errors as `application/problem+json` (RFC 9457): what, why, what now; never a trace, a query or a path."""

from http import HTTPStatus

import msgspec

from paddock.kernel.errors import PaddockError
from paddock.wire.routes import Answer
from paddock.wire.structs import Problem

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 1


def describe_problem(error: PaddockError, request_id: str) -> Problem:
    """Return `error` as it is shown to a client.

    >>> from paddock.kernel.errors import NotFound
    >>> describe_problem(NotFound("model `churn` does not exist"), "r1").status
    404
    """
    return Problem(
        type=f"urn:paddock:error:{error.code}",
        title=_title(error.http_status),
        status=error.http_status,
        code=error.code,
        detail=error.message,
        hint=error.hint,
        request_id=request_id,
        errors=error.problems,
        facts=dict(error.details),
    )


def describe_unexpected(request_id: str) -> Problem:
    """Return the problem of an exception nobody foresaw; its trace is in the log under the request id."""
    return Problem(
        type="urn:paddock:error:internal_error",
        title=_title(500),
        status=500,
        code="internal_error",
        detail="the server met a fault of its own; the log has it under this request id",
        hint="",
        request_id=request_id,
    )


def answer_problem(problem: Problem) -> Answer:
    """Return `problem` as an answer; 503 carries Retry-After, 405 Allow, 416 the size there is."""
    headers = {"Cache-Control": "no-store"}
    if problem.status == 405:
        headers["Allow"] = str(problem.facts.get("allow", ""))
    if problem.status == 416:
        headers["Content-Range"] = f"bytes */{problem.facts.get('size_bytes', 0)}"
    if problem.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return Answer(msgspec.json.encode(problem), problem.status, PROBLEM_TYPE, headers)


def _title(status: int) -> str:
    return HTTPStatus(status).phrase
