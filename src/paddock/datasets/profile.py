"""What a profile is: counts over fixed bins, moments and categories of each column, mergeable.

Two profiles with the same bins can be added without loss, and every distance between
distributions is a function of two of them. The bytes are described in docs/formats/profile.md.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Literal

import msgspec
import zstandard

from paddock.kernel.errors import IntegrityError, InvalidInput, NotFound
from paddock.kernel.names import nearest

ColumnKind = Literal["number", "category", "boolean", "time", "text"]

MAX_EDGES = 257
MAX_CATEGORIES = 1000
MAX_NEW_CATEGORIES = 20

_MAGIC = b"PDKPROF"
_VERSION = 1
_MAX_DECODED_BYTES = 1 << 28


class ColumnProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Counts of one column. Every row is in exactly one of them, so they sum to `row_count`.

    missing: null; nan, infinite: for `number` only; empty: the text "".
    edges, counts: for `number`, `time` (microseconds since 1970 or midnight) and `text` (length in
    characters). `counts` has one more entry than `edges`: up to the first edge (below the
    reference), then between each two edges with the upper one included, then above the last.
    mean, m2 (sum of squared deviations), minimum, maximum: of the values counted in `counts`;
    without any they are 0, 0, inf and -inf.
    categories, category_counts: for `category` and `boolean`; other: values that are none of them.
    new_categories: up to 20 of `other` by name, in a profile made like a reference that knows all
    of its categories (whose own `other` is 0).
    """

    name: str
    kind: ColumnKind
    row_count: int
    missing: int = 0
    nan: int = 0
    infinite: int = 0
    empty: int = 0
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    mean: float = 0.0
    m2: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    categories: tuple[str, ...] = ()
    category_counts: tuple[int, ...] = ()
    other: int = 0
    new_categories: tuple[tuple[str, int], ...] = ()

    @property
    def value_count(self) -> int:
        """Number of values in `counts`."""
        return sum(self.counts)

    @property
    def standard_deviation(self) -> float:
        """Of the population (divided by n), 0 without values.

        >>> ColumnProfile("x", "number", 2, counts=(2,), mean=1.0, m2=2.0).standard_deviation
        1.0
        """
        return math.sqrt(self.m2 / self.value_count) if self.value_count else 0.0

    @property
    def vanished_categories(self) -> tuple[str, ...]:
        """Categories of the reference that no row has.

        >>> column = ColumnProfile("c", "category", 1, categories=("a", "b"), category_counts=(1, 0))
        >>> column.vanished_categories
        ('b',)
        """
        pairs = zip(self.categories, self.category_counts, strict=True)
        return tuple(name for name, count in pairs if not count)


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns of one table, batch or window, in the order of the table."""

    row_count: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        """Return the column called `name`, or raise NotFound with the nearest name."""
        for column in self.columns:
            if column.name == name:
                return column
        match = nearest(name, [column.name for column in self.columns])
        raise NotFound(
            f"the profile has no column `{name[:80]}`" + (f"; the nearest is `{match}`" if match else "")
        )


def encode_profile(profile: Profile) -> bytes:
    """Return the profile as bytes: magic, version, zstd frame of MessagePack."""
    body = msgspec.msgpack.encode(profile)
    return _MAGIC + bytes([_VERSION]) + zstandard.ZstdCompressor(level=3, write_checksum=True).compress(body)


def decode_profile(body: bytes) -> Profile:
    """Return the profile that `encode_profile` wrote.

    Raises IntegrityError when the bytes are no profile, are cut off or come from a newer format.

    >>> decode_profile(encode_profile(Profile(0, ())))
    Profile(row_count=0, columns=())
    """
    head = len(_MAGIC)
    if body[:head] != _MAGIC or len(body) <= head:
        raise IntegrityError("the object is not a profile; it does not start with `PDKPROF`")
    if body[head] != _VERSION:
        raise IntegrityError(f"the profile has format {body[head]}; this Paddock reads format {_VERSION}")
    frame = body[head + 1 :]
    try:
        if not 0 <= zstandard.frame_content_size(frame) <= _MAX_DECODED_BYTES:
            raise IntegrityError("the profile does not state a size, or one that no profile has")
        return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(frame), type=Profile)
    except (zstandard.ZstdError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"the profile cannot be decoded: {error}") from error


def merge_profiles(first: Profile, second: Profile) -> Profile:
    """Return the profile of the rows of both.

    All counts are exact; mean and m2 differ from a single pass by rounding only. Named new
    categories are exact as long as neither side has more than 20 of them.
    Raises InvalidInput when columns, edges or categories differ: profile both with the same
    reference (`profile_like`).
    """
    names, others = [c.name for c in first.columns], [c.name for c in second.columns]
    if names != others:
        raise InvalidInput(f"profiles with different columns cannot be merged: {names} and {others}")
    pairs = zip(first.columns, second.columns, strict=True)
    return Profile(first.row_count + second.row_count, tuple(_merge_columns(a, b) for a, b in pairs))


def _merge_columns(a: ColumnProfile, b: ColumnProfile) -> ColumnProfile:
    if (a.kind, a.edges, a.categories) != (b.kind, b.edges, b.categories):
        raise InvalidInput(
            f"column `{a.name}` was counted over different bins in the two profiles",
            hint="profile_like(table, reference)",
        )
    mean, m2 = _merge_moments(a, b)
    return ColumnProfile(
        name=a.name,
        kind=a.kind,
        row_count=a.row_count + b.row_count,
        missing=a.missing + b.missing,
        nan=a.nan + b.nan,
        infinite=a.infinite + b.infinite,
        empty=a.empty + b.empty,
        edges=a.edges,
        counts=_add(a.counts, b.counts),
        mean=mean,
        m2=m2,
        minimum=min(a.minimum, b.minimum),
        maximum=max(a.maximum, b.maximum),
        categories=a.categories,
        category_counts=_add(a.category_counts, b.category_counts),
        other=a.other + b.other,
        new_categories=top_new(Counter(dict(a.new_categories)) + Counter(dict(b.new_categories))),
    )


def _add(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _merge_moments(a: ColumnProfile, b: ColumnProfile) -> tuple[float, float]:
    """Chan, Golub and LeVeque (1979), equation 1.5."""
    n, m = a.value_count, b.value_count
    if n == 0 or m == 0:
        return (b.mean, b.m2) if n == 0 else (a.mean, a.m2)
    shift = b.mean - a.mean
    return a.mean + shift * m / (n + m), a.m2 + b.m2 + shift * shift * n * m / (n + m)


def top_new(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Return the most frequent names with their counts, at most 20; ties by name.

    >>> top_new({"b": 1, "a": 1, "c": 2})
    (('c', 2), ('a', 1), ('b', 1))
    """
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(ranked[:MAX_NEW_CATEGORIES])
