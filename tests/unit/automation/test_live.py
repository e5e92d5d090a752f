"""Live rows as the loop follows them, and the stretches of them that are kept to train on."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loop_shop import DAY, HOUR, OPENED_AT, Shop

from paddock.automation import LiveRows
from paddock.automation.live import labelled

SECOND = timedelta(seconds=1)


def test_rows_come_in_order_of_event_time_and_key(shop):
    """Whatever the order of the log, rows are in order of event time, and of key within one moment."""
    shop.answer(OPENED_AT + HOUR, [1, 1], [0.1, 0.2], keys=["c", "d"])
    shop.answer(OPENED_AT, [1], [0.3], keys=["z"])
    shop.answer(OPENED_AT + HOUR, [1], [0.4], keys=["a"])

    rows = LiveRows(shop.log_folder).since(OPENED_AT, OPENED_AT + DAY)

    assert rows["idempotency_key"].to_pylist() == ["z", "a", "c", "d"]


def test_rows_end_before_until(shop):
    """`moment` is included, `until` is not, in memory as in the log."""
    shop.answer(OPENED_AT, [1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4])
    live, first, last = LiveRows(shop.log_folder), OPENED_AT + SECOND, OPENED_AT + 3 * SECOND

    assert live.since(first, last)["prediction"].to_pylist() == [0.2, 0.3]
    assert live.between(first, last, last)["prediction"].to_pylist() == [0.2, 0.3]


def test_labels_that_became_true_later_are_not_seen(shop):
    """A label counts from the moment it became true, so that asking again for a time gives the same."""
    ids = shop.answer(OPENED_AT, [1, 1], [0.1, 0.2])
    shop.label(ids[:1], [1.0], OPENED_AT + HOUR)
    shop.label(ids[1:], [0.0], OPENED_AT + HOUR + SECOND)
    live = LiveRows(shop.log_folder)

    assert live.since(OPENED_AT, OPENED_AT + HOUR)["label"].to_pylist() == [1.0, None]
    assert live.since(OPENED_AT, OPENED_AT + DAY)["label"].to_pylist() == [1.0, 0.0]
    assert live.between(OPENED_AT, OPENED_AT + SECOND, OPENED_AT + HOUR)["label"].to_pylist() == [1.0]


def test_last_label_of_a_row_counts(shop):
    """A corrected label replaces the first one from the moment it became true."""
    ids = shop.answer(OPENED_AT, [1], [0.1])
    shop.label(ids, [1.0], OPENED_AT + HOUR)
    shop.label(ids, [0.0], OPENED_AT + 2 * HOUR)
    live = LiveRows(shop.log_folder)

    assert live.since(OPENED_AT, OPENED_AT + HOUR)["label"].to_pylist() == [1.0]
    assert live.since(OPENED_AT, OPENED_AT + DAY)["label"].to_pylist() == [0.0]


def test_label_that_is_neither_0_nor_1_is_none(shop):
    """One bad label of a client's does not stand in the way of all the others."""
    ids = shop.answer(OPENED_AT, [1, 1, 1], [0.1, 0.2, 0.3])
    shop.label(ids, [1.0, 7.0, float("nan")], OPENED_AT + HOUR)

    rows = labelled(LiveRows(shop.log_folder).since(OPENED_AT, OPENED_AT + DAY))

    assert rows["prediction"].to_pylist() == [0.1]


def test_log_without_rows_gives_an_empty_table(tmp_path):
    """Before the first request there are no rows, and that is no error."""
    live = LiveRows(tmp_path)

    assert live.since(OPENED_AT, OPENED_AT + DAY).num_rows == 0
    assert labelled(live.between(OPENED_AT, OPENED_AT + DAY, OPENED_AT + DAY)).num_rows == 0


requests = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 4), st.sampled_from([0, 2]), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(requests)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_on_equals_reading_from_scratch(tmp_path_factory, requests):
    """A reader that followed the log sees what a new one sees, at every moment."""
    shop = Shop(tmp_path_factory.mktemp("live"))
    followed = LiveRows(shop.log_folder)
    try:
        for hour, count, shadow, is_labelled in requests:
            at = OPENED_AT + hour * HOUR
            keys = [f"{hour}-{len(list(shop.log_folder.iterdir()))}-{place}" for place in range(count)]
            ids = shop.answer(at, [1] * count, [0.5] * count, shadow=shadow, keys=keys)
            if is_labelled:
                shop.label(ids, [1.0] * count, at + HOUR)
            moment, until = OPENED_AT + 5 * HOUR, at + 2 * HOUR

            assert followed.since(moment, until).equals(LiveRows(shop.log_folder).since(moment, until))
    finally:
        shop.close()


@pytest.fixture
def answered(shop):
    """Rows of 72 seconds, labelled an hour later; every fifth never."""
    ids = shop.answer(OPENED_AT, [1] * 72, [0.5] * 72, features=[("wind", range(72))])
    known = [second for second in range(72) if second % 5]
    shop.label([ids[second] for second in known], [float(second % 2) for second in known], OPENED_AT + HOUR)
    return shop


def kept(shop, ref):
    return shop.app.datasets.read(str(ref))


def test_versions_are_consecutive_stretches(answered):
    """Each version goes on where the one before ended: no labelled row is left out or kept twice."""
    labelled_rows = answered.loop.labelled
    labelled_rows.keep_until(OPENED_AT + 24 * SECOND, OPENED_AT + DAY)

    refs = labelled_rows.keep_until(OPENED_AT + 72 * SECOND, OPENED_AT + DAY)

    assert [str(ref) for ref in refs] == ["delay-labelled@1", "delay-labelled@2"]
    winds = [wind for ref in refs for wind in kept(answered, ref)["wind"].to_pylist()]
    assert winds == [second for second in range(72) if second % 5]
    assert kept(answered, refs[0]).column_names == ["wind", "event_time", "late"]
    assert kept(answered, refs[0])["late"].to_pylist() == [second % 2 for second in range(24) if second % 5]


def test_keeping_again_adds_nothing(answered):
    """The same time, or an earlier one, gives the same versions, from any process."""
    until, now = OPENED_AT + 48 * SECOND, OPENED_AT + DAY
    refs = answered.loop.labelled.keep_until(until, now)

    assert answered.loop.labelled.keep_until(until, now) == refs
    assert answered.make_loop().labelled.keep_until(OPENED_AT + 24 * SECOND, now) == refs


def test_asking_again_while_a_training_goes_on_reads_nothing(answered):
    """A loop that asks at every tick gets the same versions, whatever is logged meanwhile."""
    until, now = OPENED_AT + 48 * SECOND, OPENED_AT + DAY
    refs = answered.loop.labelled.keep_until(until, now)
    late = answered.answer(until - SECOND / 2, [1], [0.5], features=[("wind", [47.5])])
    answered.label(late, [1.0], OPENED_AT + HOUR)

    assert answered.loop.labelled.keep_until(until, now) == refs
    assert len(answered.make_loop().labelled.keep_until(until, now)) == len(refs) + 1


def test_nothing_labelled_keeps_nothing(answered):
    """Before the first label there is no version, and no error."""
    assert answered.loop.labelled.keep_until(OPENED_AT + HOUR, OPENED_AT + SECOND) == ()


@given(st.lists(st.integers(0, 96), min_size=1, max_size=6))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_it_is_cut_the_same_rows_are_kept(tmp_path_factory, moments):
    """Kept in any number of stretches, at any times, the versions hold each labelled row once, in order."""
    shop = Shop(tmp_path_factory.mktemp("kept"))
    try:
        ids = shop.answer(OPENED_AT, [1] * 90, [0.5] * 90, features=[("wind", range(90))])
        shop.label(ids, [1.0] * 90, OPENED_AT + HOUR)
        refs = ()
        for second in sorted(moments):
            refs = shop.loop.labelled.keep_until(OPENED_AT + second * SECOND, OPENED_AT + DAY)

        winds = [wind for ref in refs for wind in kept(shop, ref)["wind"].to_pylist()]
        assert winds == list(range(min(90, max(moments))))
    finally:
        shop.close()
