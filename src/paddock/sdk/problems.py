"""From a problem answer back to the error that the server raised."""

import functools
from collections.abc import Iterator, Mapping

from paddock.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound, PaddockError, Unavailable
from paddock.wire import structs

# for codes that a newer server has and this client does not know
_BY_STATUS: Mapping[int, type[PaddockError]] = {
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    503: Unavailable,
    507: Unavailable,
}
_OWN_NAMES = frozenset({"message", "hint", "problems"})


def error_of(problem: structs.Problem) -> PaddockError:
    """Return the error that `problem` describes, of the class that has its code.

    A code that is not known here gives the nearest class by status. A fault of the server itself is a
    plain PaddockError whose hint names the request in the server's log.

    >>> error_of(
    ...     structs.Problem(
    ...         type="", title="", status=404, code="not_found", detail="no run `a`", hint="", request_id="r"
    ...     )
    ... )
    NotFound('no run `a`')
    """
    kind = _by_code().get(problem.code) or _class_of_status(problem.status)
    hint = problem.hint
    if kind is PaddockError and not hint:
        hint = f"the server's log has it under the request id {problem.request_id}"
    facts = {name: value for name, value in problem.facts.items() if name not in _OWN_NAMES}
    return kind(problem.detail, hint=hint, problems=problem.errors, **facts)


def _class_of_status(status: int) -> type[PaddockError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return InvalidInput if 400 <= status < 500 else PaddockError


@functools.cache
def _by_code() -> Mapping[str, type[PaddockError]]:
    # the first of a code wins: a class without a code of its own has that of its parent
    found: dict[str, type[PaddockError]] = {}
    for kind in _classes(PaddockError):
        found.setdefault(kind.code, kind)
    return found


def _classes(kind: type[PaddockError]) -> Iterator[type[PaddockError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _classes(child)
