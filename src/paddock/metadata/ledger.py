"""The hash chain of the event ledger: pure functions over stored events.

Each event is linked to the one before it: its hash covers its position, the previous hash and every
field. The newest position and hash are kept in a row of their own, the head, so that cutting
events off the end is seen too. docs/formats/event-ledger.md is the specification.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IntegrityError, InvalidInput
from paddock.metadata.records import Json

_FORMAT = b"paddock.event.1\n"
_NO_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """The content of an event as stored: times in microseconds, data as JSON text."""

    event_id: str
    project_id: str
    principal: str
    kind: str
    subject: str
    event_time: int
    received_at: int
    data: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: the newest position and its hash."""

    position: int
    hash: str


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place in the chain."""

    position: int
    previous_hash: str
    hash: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where a chain does not hold, and why."""

    position: int
    words: str


EMPTY_HEAD = Head(0, _NO_HASH)


def canonical_bytes(entry: Entry, position: int, previous_hash: str) -> bytes:
    """Return the bytes an event's hash is computed over: a header, then each field as a netstring.

    >>> entry = Entry("e1", "default", "ann", "run.started", "run:1", 5, 6, "{}")
    >>> canonical_bytes(entry, 1, "00")[:30]
    b'paddock.event.1\\n1:1,2:00,2:e1,'
    """
    fields = (
        str(position),
        previous_hash,
        entry.event_id,
        entry.project_id,
        entry.principal,
        entry.kind,
        entry.subject,
        str(entry.event_time),
        str(entry.received_at),
        entry.data,
    )
    bodies = (field.encode() for field in fields)
    return _FORMAT + b"".join(b"%d:%b," % (len(body), body) for body in bodies)


def seal(entry: Entry, head: Head) -> Link:
    """Return `entry` linked behind `head`.

    >>> link = seal(Entry("e1", "default", "ann", "run.started", "run:1", 5, 6, "{}"), EMPTY_HEAD)
    >>> link.position, link.hash[:8]
    (1, 'd379c421')
    """
    position = head.position + 1
    digest = digest_bytes(canonical_bytes(entry, position, head.hash))
    return Link(position, head.hash, digest, entry)


def head_of(link: Link) -> Head:
    """Return the head of a chain that ends with `link`."""
    return Head(link.position, link.hash)


def check_links(head: Head, links: Iterable[Link]) -> tuple[Head, Fault | None]:
    """Follow a run of links from `head`, up to the first that does not hold.

    Returns the last head that holds, and the fault behind it, if any. Finds events that were
    changed, deleted, inserted or reordered; check_end finds those cut off the end.

    >>> first = seal(Entry("e1", "default", "ann", "run.started", "run:1", 5, 6, "{}"), EMPTY_HEAD)
    >>> second = seal(Entry("e2", "default", "ann", "run.finished", "run:1", 7, 8, "{}"), head_of(first))
    >>> check_links(EMPTY_HEAD, [first, second]) == (head_of(second), None)
    True
    >>> check_links(EMPTY_HEAD, [second])[1].words
    'position 1 is missing; the next event stands at 2'
    """
    for link in links:
        fault = _check_link(head, link)
        if fault:
            return head, fault
        head = head_of(link)
    return head, None


def check_end(reached: Head, recorded: Head) -> Fault | None:
    """Compare where the chain ends with the head that was recorded.

    >>> check_end(Head(3, "aa"), Head(5, "cc")).words
    'events 4 to 5 are missing from the end'
    """
    if reached == recorded:
        return None
    if reached.position < recorded.position:
        words = f"events {reached.position + 1} to {recorded.position} are missing from the end"
        return Fault(reached.position + 1, words)
    if reached.position > recorded.position:
        words = f"the recorded head is {recorded.position}, but events go on to {reached.position}"
        return Fault(recorded.position + 1, words)
    return Fault(reached.position, f"the recorded head has another hash than event {reached.position}")


def encode_data(data: Mapping[str, Json]) -> str:
    """Return `data` as JSON text with sorted keys; a number that is not finite is InvalidInput.

    >>> encode_data({"b": 1, "a": [0.5, "x"]})
    '{"a":[0.5,"x"],"b":1}'
    """
    return msgspec.json.encode(_plain(data, "data"), order="deterministic").decode()


def decode_data(text: str) -> Mapping[str, Json]:
    """Return the data of an event from its JSON text; text that was damaged is IntegrityError.

    >>> decode_data('{"a":[0.5,"x"]}')
    {'a': [0.5, 'x']}
    """
    try:
        return cast(Mapping[str, Json], msgspec.json.decode(text, type=dict[str, object]))
    except msgspec.DecodeError as error:
        raise IntegrityError(
            f"the data of an event cannot be read: {error}", hint="paddock audit verify"
        ) from error


def _check_link(head: Head, link: Link) -> Fault | None:
    expected = head.position + 1
    if link.position != expected:
        return Fault(expected, f"position {expected} is missing; the next event stands at {link.position}")
    if link.hash != digest_bytes(canonical_bytes(link.entry, link.position, link.previous_hash)):
        return Fault(expected, f"the event at position {expected} is not what was written")
    if link.previous_hash != head.hash:
        return Fault(expected, f"the event at position {expected} does not follow the one before it")
    return None


def _plain(value: Json, place: str) -> Json:
    """Copy `value` into the plain types that the encoder takes."""
    if isinstance(value, Mapping):
        return {key: _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"event holds `{value}` at `{place}`; only finite numbers can be kept")
    return value
