"""From an error to a problem answer and back."""

from collections.abc import Iterator

import pytest

from paddock.kernel.errors import Conflict, InvalidInput, NotFound, PaddockError, Unavailable
from paddock.sdk.problems import error_of
from paddock.wire import describe_problem
from paddock.wire.structs import Problem


def tree(kind: type[PaddockError] = PaddockError) -> Iterator[type[PaddockError]]:
    """Yield every class of the tree that a server sends: those of the kernel and of the wire."""
    if kind.__module__ in ("paddock.kernel.errors", "paddock.kernel.refusals"):
        yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def problem(status: int, code: str, **facts: str) -> Problem:
    return Problem(
        type="", title="", status=status, code=code, detail="words", hint="", request_id="r1", facts=facts
    )


@pytest.mark.parametrize("kind", tuple(tree()), ids=lambda kind: kind.__name__)
def test_every_error_survives_the_wire(kind: type[PaddockError]):
    """Class, message, hint, problems and facts come back as they were raised."""
    raised = kind("it is so", hint="paddock help", problems=("a", "b"), model="delay", version=7)

    found = error_of(describe_problem(raised, "r1"))

    assert type(found) is kind
    assert (found.message, found.hint, found.problems) == ("it is so", "paddock help", ("a", "b"))
    assert found.details == {"model": "delay", "version": 7}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFound), (409, Conflict), (418, InvalidInput), (503, Unavailable), (599, PaddockError)],
)
def test_unknown_code_has_the_class_of_its_status(status: int, kind: type[PaddockError]):
    """An error that only a newer server knows is caught by what it is in general."""
    assert type(error_of(problem(status, "not_known_yet"))) is kind


def test_fault_of_the_server_names_the_request():
    """What the server does not tell can be found in its log."""
    assert error_of(problem(500, "internal_error")).hint == "the server's log has it under the request id r1"


def test_facts_cannot_take_the_place_of_words():
    """A fact called `hint` is dropped; it would be taken for the hint itself."""
    found = error_of(problem(404, "not_found", hint="rm -r", message="all is well", name="x"))

    assert (found.message, found.hint, found.details) == ("words", "", {"name": "x"})
