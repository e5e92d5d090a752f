"""Durations as people write them."""

from datetime import timedelta

import pytest

from paddock.kernel.durations import parse_duration
from paddock.kernel.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("90m", 5400), ("1h", 3600), ("2d", 172_800), ("1w", 604_800)]
)
def test_durations(text, expected):
    """A duration is a whole number and a unit."""
    assert parse_duration(text) == timedelta(seconds=expected)


@pytest.mark.parametrize("text", ["", "h", "1", "1.5h", "-1h", "1 h"])
def test_wrong_durations(text):
    """Anything else is refused."""
    with pytest.raises(InvalidInput, match="is not a duration"):
        parse_duration(text)
