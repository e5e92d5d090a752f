"""What the client checks of a server's answers by itself."""

from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IntegrityError, NotFound
from paddock.kernel.refs import ModelVersionRef
from paddock.sdk.remote import HttpStore
from paddock.sdk.transport import Transport
from paddock.wire import PROBLEM_TYPE, describe_problem, structs

PROBLEM = {"Content-Type": PROBLEM_TYPE}
BODY = b"carrier,delay\nUA,3.5\n"
VERSION = structs.DatasetVersion(
    name="flights",
    version=1,
    digest=digest_bytes(BODY),
    profile_digest="",
    format="csv",
    schema=(),
    row_count=1,
    size_bytes=len(BODY),
    created_at=datetime(2013, 4, 1, tzinfo=UTC),
    principal="ann",
    source="flights.csv",
)


def store_that_sends(body: bytes) -> HttpStore:
    wire = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    return HttpStore(Transport("http://127.0.0.1:8321", wire=wire))


def test_rows_are_read_when_they_have_the_digest():
    """The bytes of the version are parsed by its format."""
    rows = store_that_sends(BODY).datasets.read(VERSION)

    assert rows.to_pylist() == [{"carrier": "UA", "delay": 3.5}]


def test_other_bytes_are_never_taken_for_the_dataset():
    """Rows that do not have the version's digest are an error, not data."""
    with pytest.raises(IntegrityError, match="is not `flights@1`"):
        store_that_sends(BODY.replace(b"3.5", b"9.5")).datasets.read(VERSION)


def test_a_gate_is_waited_for_longer_than_other_requests():
    """The server may work ten minutes on it; a register call is answered in seconds or not at all."""
    seen: dict[str, float] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.path] = request.extensions["timeout"]["read"]
        return httpx.Response(
            404, content=msgspec.json.encode(describe_problem(NotFound("no"), "r1")), headers=PROBLEM
        )

    store = HttpStore(Transport("http://127.0.0.1:8321", wire=httpx.MockTransport(answer)))
    with pytest.raises(NotFound):
        store.models.gate(
            ModelVersionRef("delay", 7), structs.HoldGate(rows="flights@2", label="late"), key="k"
        )
    with pytest.raises(NotFound):
        store.models.rollback("delay", structs.Rollback(reason="r"), key="k")

    assert seen == {
        "/api/v1/models/delay/versions/7/gate": 660.0,
        "/api/v1/models/delay/rollbacks": 60.0,
    }
