"""Number, article and period, in the sentences people read."""

from datetime import timedelta

import pytest

from paddock.kernel.durations import describe_duration
from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import check_name
from paddock.kernel.wording import count_of, end_sentence


@pytest.mark.parametrize(("kind", "words"), [("endpoint", "an endpoint"), ("model", "a model")])
def test_refused_name_has_the_article_of_its_kind(kind, words):
    """A wrong name is told in proper words, whatever it was to name."""
    with pytest.raises(InvalidInput, match=rf"`a b` cannot name {words};"):
        check_name(kind, "a b")


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 faults"), (1, "1 fault"), (2, "2 faults"), (1_000, "1,000 faults")]
)
def test_one_thing_is_not_many(number, words):
    """Only one is singular; thousands are told apart."""
    assert count_of(number, "fault") == words


@pytest.mark.parametrize("text", ["no rows", "no rows.", "no rows.\n"])
def test_sentence_ends_once(text):
    """What is quoted may end with a period, and a newline, already."""
    assert end_sentence(text) == "no rows."


@pytest.mark.parametrize("text", ["and more...", "really?", "no!"])
def test_other_ends_stay(text):
    """What ends otherwise gets no period beside."""
    assert end_sentence(text) == text


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(minutes=30), "30 minutes"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=30), "30 days"),
    ],
)
def test_time_is_told_in_the_unit_that_fits(span, words):
    """Half an hour is not 0 days."""
    assert describe_duration(span) == words
