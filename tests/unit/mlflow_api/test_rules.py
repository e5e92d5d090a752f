"""MLflow's rules for names, batches, pages and times."""

import pytest

from paddock.kernel.errors import InvalidInput
from paddock.mlflow_api import rules


@pytest.mark.parametrize("key", ["a", "a/b", ".a", "a.b", "a b", "a:b", "größe", "a-b_c", "a" * 250])
def test_key_that_names_itself_is_taken(key: str):
    """A key is taken unless it would be another one as a path."""
    assert rules.check_key(key, "key", "Param key") == key


@pytest.mark.parametrize(
    "key", ["", ".", "..", "../a", "a/..", "a//b", "a/", "/a", "./a", "a\n", "a\x00", "a$", "a" * 251]
)
def test_key_that_leads_elsewhere_is_refused(key: str):
    """Paths to other places, odd characters and long keys are refused."""
    with pytest.raises(InvalidInput):
        rules.check_key(key, "key", "Param key")


def test_several_changed_params_are_told_together():
    """Old and new value of each param stand in the message."""
    error = rules.changed_params("r1", [("a", "1", "2"), ("b", "3", "4")])

    assert "Params were already logged=" in error.message
    assert "{'key': 'b', 'old_value': '3', 'new_value': '4'}" in error.message


@pytest.mark.parametrize("count", [1, 50_000])
def test_page_within_the_limits_is_taken(count: int):
    """A page has 1 to 50,000 rows."""
    assert rules.check_results(count) == count


def test_time_is_kept_to_the_millisecond():
    """A time in milliseconds becomes one in microseconds; the last one is the end of the year 9999."""
    assert rules.micros_of(rules.MAX_MILLIS, "timestamp") == 253_402_300_799_999_000
    with pytest.raises(InvalidInput, match="'timestamp'"):
        rules.micros_of(rules.MAX_MILLIS + 1, "timestamp")


@pytest.mark.parametrize("text", ["", "-", "1.0", "٣", "0x1", "1 "])
def test_experiment_id_is_a_whole_number(text: str):
    """Digits, and a sign for what can never be found."""
    with pytest.raises(InvalidInput):
        rules.check_experiment_id(text)


def test_negative_experiment_id_is_a_number():
    """It is one that nobody has."""
    assert rules.check_experiment_id("-1") == "-1"
