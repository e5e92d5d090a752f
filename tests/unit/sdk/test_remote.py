"""What the client checks of a server's answers by itself."""

from datetime import UTC, datetime

import httpx
import pytest

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IntegrityError, InvalidInput
from paddock.kernel.refs import ModelVersionRef
from paddock.sdk.remote import HttpStore
from paddock.sdk.transport import Transport
from paddock.wire import structs

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


def test_a_gate_is_not_held_through_a_server():
    """The error says where it is held instead, and by which command."""
    with pytest.raises(InvalidInput, match="the gate of delay@7 is held beside the store") as refused:
        store_that_sends(b"").models.gate(ModelVersionRef("delay", 7), rows="flights@2", label="late", key="")

    assert refused.value.hint == "paddock models gate delay@7 --rows flights@2 --label late"
