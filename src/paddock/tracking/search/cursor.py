"""Where a page ends: the values by which its last row is sorted, as a text that asks for the next page.

A cursor holds a digest of the query it belongs to, and is refused with another one. It is not signed, and
need not be: it says from which place on the same query goes on, and the query names project and experiments
by itself, so a forged place shows nothing that the caller could not list anyway. Each value in it is checked
for type and size, and reaches the database as a bound parameter only.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import InvalidInput
from paddock.tracking.search.entities import Entity
from paddock.tracking.search.expressions import OrderKey

# text is sorted by its head, so that a cursor stays small
ORDER_CHARACTERS = 256
MAX_CURSOR_CHARACTERS = 16_384

Rank: TypeAlias = Literal[0, 1, 2]
HAS_VALUE: Rank = 0
IS_NAN: Rank = 1
IS_MISSING: Rank = 2

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands by one key of the order. value: None unless rank is HAS_VALUE; times in micros."""

    rank: Rank
    value: int | float | str | None = None


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    digest: str
    places: tuple[tuple[Rank, int | float | str | None], ...]


_decoder = msgspec.msgpack.Decoder(_Cursor)


def digest_query(parts: Sequence[str]) -> str:
    """Return what tells one query from another. parts: all that decides which rows come, and in which order.

    >>> digest_query(["a", "bc"]) == digest_query(["ab", "c"])
    False
    """
    return digest_bytes(msgspec.json.encode(list(parts)))[:32]


def format_cursor(digest: str, places: Sequence[Place]) -> str:
    """Return the cursor that stands behind a row.

    >>> from paddock.tracking.search.entities import RUNS
    >>> from paddock.tracking.search.ordering import full_order
    >>> places = (Place(HAS_VALUE, 5), Place(HAS_VALUE, "0192"))
    >>> parse_cursor(format_cursor("d", places), "d", full_order((), RUNS), RUNS) == places
    True
    """
    body = msgspec.msgpack.encode(_Cursor(digest, tuple((place.rank, place.value) for place in places)))
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def parse_cursor(text: str, digest: str, keys: Sequence[OrderKey], entity: Entity) -> tuple[Place, ...]:
    """Return the place a cursor stands for, one for each key of the full order; else raise InvalidInput."""
    cursor = _decode(text)
    if cursor.digest != digest:
        raise InvalidInput(
            "the cursor belongs to another query; filter, order and what is searched must stay the same",
            hint="start again without a cursor",
        )
    places = tuple(Place(rank, value) for rank, value in cursor.places)
    if len(places) != len(keys) or not all(
        _fits(place, key, entity) for place, key in zip(places, keys, strict=True)
    ):
        raise _refuse(text)
    return places


def _decode(text: str) -> _Cursor:
    if len(text) > MAX_CURSOR_CHARACTERS:
        raise _refuse(text)
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return _decoder.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, msgspec.DecodeError) as error:
        raise _refuse(text) from error


def _fits(place: Place, key: OrderKey, entity: Entity) -> bool:
    if place.rank != HAS_VALUE:
        return place.value is None and place.rank in _ranks_without_value(key, entity)
    value = place.value
    if key.target.kind == "metric":
        return isinstance(value, float) and not math.isnan(value)
    if key.target.kind == "attribute" and entity.attributes[key.target.key].type != "text":
        return isinstance(value, int) and value in _INT64
    return isinstance(value, str) and len(value) <= ORDER_CHARACTERS and "\0" not in value


def _ranks_without_value(key: OrderKey, entity: Entity) -> tuple[Rank, ...]:
    if key.target.kind == "metric":
        return (IS_NAN, IS_MISSING)
    is_attribute = key.target.kind == "attribute"
    return () if is_attribute and not entity.attributes[key.target.key].is_missable else (IS_MISSING,)


def _refuse(text: str) -> InvalidInput:
    return InvalidInput(f"{text[:60]!r} is no cursor of a search", hint="start again without a cursor")
