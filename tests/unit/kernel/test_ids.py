"""Ids: rising, unique, and recognised."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from paddock.kernel.errors import InvalidInput
from paddock.kernel.ids import new_id, parse_id


def test_ids_of_one_process_rise_strictly():
    """Many ids within one millisecond still come in order and without a duplicate."""
    ids = [new_id() for _ in range(20_000)]

    assert ids == sorted(set(ids))


def test_ids_from_many_threads_are_unique():
    """Threads never get the same id."""
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [new_id() for _ in range(2_000)], range(8)))

    assert len({each for batch in batches for each in batch}) == 16_000


def test_ids_are_version_seven():
    """Other tools read an id as a UUIDv7."""
    found = uuid.UUID(new_id())

    assert (found.version, found.variant) == (7, uuid.RFC_4122)


@pytest.mark.parametrize("text", ["", "abc", "G" * 32, "A" * 32, "0" * 31, "0" * 33])
def test_what_is_no_id_is_refused(text: str):
    """Only 32 lower-case hex digits are an id."""
    with pytest.raises(InvalidInput, match="is not an id"):
        parse_id(text)
