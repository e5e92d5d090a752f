"""How records become calls."""

from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import (
    Conflict,
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    InvalidSettings,
    LimitExceeded,
    NotFound,
    PaddockError,
    StoreInUse,
    Unavailable,
)
from paddock.kernel.refusals import RequestTooSlow
from paddock.sdk.spool.batches import MOST_POINTS, as_batch, is_refusal, take_batch
from paddock.sdk.spool.records import End, File, Input, Params, Points, Record, Stored, Tags

KEYS = st.sampled_from(["a", "b", "c"])
RECORDS = st.one_of(
    st.builds(Points, st.just(0), st.integers(0, 9), st.dictionaries(KEYS, st.floats(0, 1), min_size=1)),
    st.builds(Params, st.dictionaries(KEYS, st.sampled_from(["1", "2"]), min_size=1)),
    st.builds(Tags, st.dictionaries(KEYS, st.text(max_size=3))),
    st.builds(Input, KEYS, st.integers(1, 3), st.just("")),
    st.builds(File, KEYS, st.just("1")),
    st.builds(End, st.just("finished"), st.just(0)),
)


def stored(records: list[Record]) -> list[Stored]:
    return [Stored(record, 50 * place, 50 * place + 50) for place, record in enumerate(records)]


def cut(records: list[Stored]) -> list[list[Stored]]:
    batches = []
    while records:
        batches.append(list(take_batch(records)))
        records = records[len(batches[-1]) :]
    return batches


@given(st.lists(RECORDS, max_size=30))
def test_batches_are_the_records_in_order(records: list[Record]):
    """Nothing is left out, doubled or moved, and every batch brings its caller on."""
    batches = cut(stored(records))

    assert [each.record for batch in batches for each in batch] == records
    assert all(batches)


@given(st.lists(RECORDS, max_size=30))
def test_a_batch_is_one_call(records: list[Record]):
    """A file or an end is alone in it, and no parameter has two values in it."""
    for batch in cut(stored(records)):
        kinds = {type(each.record) for each in batch}
        assert len(batch) == 1 or not kinds & {File, End}
        pairs = {
            pair for each in batch if isinstance(each.record, Params) for pair in each.record.values.items()
        }
        assert len(pairs) == len({key for key, _ in pairs})


def test_a_batch_is_no_larger_than_a_store_takes():
    """It ends before the points, the pairs or the bytes are too many."""
    many = [Points(0, step, {"a": 0.0, "b": 0.0}) for step in range(MOST_POINTS)]
    pairs = [Tags({str(number): ""}) for number in range(1_500)]
    large = [Stored(Tags({"a": ""}), 300_000 * place, 300_000 * place + 300_000) for place in range(5)]

    assert len(take_batch(stored(many))) == MOST_POINTS // 2
    assert len(take_batch(stored(pairs))) == 1_000
    assert len(take_batch(large)) == 3


def test_one_record_is_never_too_large():
    """What was logged in one call is sent in one, and the store says what it thinks of it."""
    huge = [Stored(Points(0, 0, {str(number): 0.0 for number in range(9_000)}), 0, 5_000_000)]

    assert take_batch(huge) == huge


def test_a_batch_holds_what_was_logged():
    """Points keep their order, the later value of a tag counts, and inputs keep their role."""
    batch = as_batch(
        [Points(7, 1, {"a": 0.5, "b": 1.0}), Tags({"t": "1"}), Input("flights", 3, "train"), Tags({"t": "2"})]
    )

    assert [(point.key, point.value, point.step, point.at_micros) for point in batch.points] == [
        ("a", 0.5, 1, 7),
        ("b", 1.0, 1, 7),
    ]
    assert batch.tags == {"t": "2"}
    assert [(str(used.dataset), used.role) for used in batch.inputs] == [("flights@3", "train")]


def test_what_may_be_taken_later_is_no_refusal():
    """Only what is wrong with the records themselves is; trouble of the store or the way to it is not."""
    refusals = (InvalidInput, LimitExceeded, NotFound, Conflict, IdempotencyConflict)
    later = (PaddockError, Unavailable, Forbidden, InvalidSettings, StoreInUse, RequestTooSlow)

    assert [is_refusal(kind("x")) for kind in refusals] == [True] * len(refusals)
    assert [is_refusal(kind("x")) for kind in later] == [False] * len(later)
