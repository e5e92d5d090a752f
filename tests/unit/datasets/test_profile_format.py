"""The bytes of a profile: what was written stays readable."""

import math
from pathlib import Path

import pyarrow as pa
import pytest

from paddock.datasets import Profile, decode_profile, encode_profile, profile_table
from paddock.kernel.errors import IntegrityError, NotFound

FROZEN = Path(__file__).parents[2] / "frozen" / "profile-v1.bin"


def example() -> Profile:
    table = pa.table({"x": [1.0, None, math.nan, math.inf], "c": ["a", "", "b", None], "b": [True] * 4})
    return profile_table(table)


def test_a_profile_survives_its_bytes():
    """Decoding what was encoded gives an equal profile, infinities included."""
    assert decode_profile(encode_profile(example())) == example()


def test_the_frozen_profile_still_decodes_to_the_same_values():
    """A profile written by the first release means what it meant then."""
    profile = decode_profile(FROZEN.read_bytes())

    hour, carrier, late, moment, tail = profile.columns
    assert profile.row_count == 8
    assert [column.kind for column in profile.columns] == ["number", "category", "boolean", "time", "text"]
    assert (hour.name, hour.missing, hour.nan, hour.infinite) == ("hour", 1, 1, 1)
    assert hour.edges == (4.999999999999999, 5.0, 6.0, 17.5)
    assert (hour.counts, hour.mean, hour.m2) == ((0, 2, 2, 1, 0), 7.9, 116.2)
    assert (hour.minimum, hour.maximum) == (5.0, 17.5)
    assert (carrier.categories, carrier.category_counts) == (("B6", "UA"), (3, 2))
    assert (carrier.empty, carrier.missing, carrier.other) == (1, 1, 1)
    assert carrier.new_categories == (("ZZ", 1),)
    assert (late.categories, late.category_counts, late.missing) == (("false", "true"), (5, 2), 1)
    assert (moment.maximum, moment.value_count) == (1_357_020_000_000_000.0, 8)
    assert (tail.edges, tail.counts, tail.empty) == ((5.0, 6.0), (0, 7, 0), 1)


@pytest.mark.parametrize("cut", [0, 5, 7, 8, 9, 20, -1])
def test_a_profile_that_is_cut_off_is_an_integrity_error(cut: int):
    """No prefix of the bytes is taken for a profile."""
    with pytest.raises(IntegrityError):
        decode_profile(encode_profile(example())[:cut])


def test_a_newer_format_is_named():
    """The error says which format it found and which it reads."""
    body = bytearray(encode_profile(example()))
    body[7] = 2

    with pytest.raises(IntegrityError, match="has format 2; this Paddock reads format 1"):
        decode_profile(bytes(body))


def test_a_flipped_bit_never_changes_what_a_profile_says():
    """Whatever byte is damaged, decoding gives the same profile or an IntegrityError, nothing else."""
    body = encode_profile(example())
    refused = 0
    for at in range(len(body)):
        damaged = body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :]
        try:
            assert decode_profile(damaged) == example()
        except IntegrityError:
            refused += 1

    assert refused >= len(body) - 2


def test_an_unknown_column_is_named_with_the_nearest():
    """A typing error in a column name is answered with the name that was meant."""
    with pytest.raises(NotFound, match="nearest is `carrier`"):
        profile_table(pa.table({"carrier": ["AA"]})).column("carier")
