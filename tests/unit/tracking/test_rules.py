"""What a run may be given, and what may become of it."""

import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.clock import from_micros
from paddock.kernel.errors import Conflict, InvalidInput, LimitExceeded
from paddock.tracking import MetricPoint, RunStatus, rules
from paddock.tracking.summary import read_value, write_value

NOON = 1_364_817_600_000_000


@given(st.floats().filter(lambda value: abs(value) != sys.float_info.max))
def test_every_float_comes_back(value: float) -> None:
    """A metric's value survives its form in a summary, NaN and the infinities included."""
    stored = json.loads(json.dumps(write_value(value), allow_nan=False))

    back = read_value(stored)

    assert back == value or (math.isnan(back) and math.isnan(value))


@given(st.integers(-(2**60), 2**60), st.uuids())
def test_cursor_comes_back(micros: int, run_id: object) -> None:
    """A cursor names the place it was made from."""
    text = str(run_id).replace("-", "")
    moment = from_micros(micros % 10**15)

    assert rules.parse_cursor(rules.format_cursor(moment, text)) == (micros % 10**15, text)


@given(st.text(max_size=80))
def test_no_text_breaks_the_cursor_parser(text: str) -> None:
    """A cursor that somebody made up is InvalidInput or a place, never another error."""
    try:
        micros, run_id = rules.parse_cursor(text)
    except InvalidInput:
        return
    assert isinstance(micros, int)
    assert 1 <= len(run_id) <= 256


@pytest.mark.parametrize("end", ["finished", "failed", "killed"])
def test_running_run_may_end_any_way(end: RunStatus) -> None:
    """A run that runs may finish, fail or be killed."""
    verdict = rules.check_transition("running", end)

    assert (verdict.allowed, verdict.changes) == (True, True)


def test_ended_run_stays_as_it_ended() -> None:
    """A run that ended takes the same end again, and no other."""
    again = rules.check_transition("failed", "failed")
    other = rules.check_transition("failed", "finished")
    restart = rules.check_transition("finished", "running")

    assert (again.allowed, again.changes) == (True, False)
    assert not other.allowed
    assert not restart.allowed


def test_unknown_status_is_refused() -> None:
    """A status that is none is not stored."""
    verdict = rules.check_transition("running", "done")  # type: ignore[arg-type]

    assert verdict.reason == "cannot become `done`; it ends finished, failed or killed"


def test_param_is_set_once() -> None:
    """Another value for a parameter is a Conflict that shows both; the same value is fine."""
    assert rules.new_params({"depth": "6"}, {"depth": "6"}) == {}
    with pytest.raises(Conflict, match="`depth` is `6` and cannot become `7`"):
        rules.new_params({"depth": "6"}, {"depth": "7", "rate": "1"})


def test_all_faults_of_params_are_told_together() -> None:
    """Every bad key and value is in the problems of one error."""
    with pytest.raises(InvalidInput) as caught:
        rules.check_params({"": "1", "a\x00": "2", "long": "x" * 6_001, "half": "\ud800", "fine": "3"})

    assert len(caught.value.problems) == 4


def test_metric_points_are_checked() -> None:
    """A step or a time beyond 64 bits and an empty key are all told."""
    points = [
        MetricPoint("auc", 0.7, 2**63, NOON),
        MetricPoint("auc", 0.7, 1, 2**63),
        MetricPoint("", 0.7, 1, NOON),
    ]

    with pytest.raises(InvalidInput) as caught:
        rules.check_points(points)

    assert len(caught.value.problems) == 3


def test_too_many_points_are_refused() -> None:
    """One call takes a bounded number of points."""
    with pytest.raises(LimitExceeded, match="at most 100000"):
        rules.check_points([MetricPoint("auc", 0.7, 1, NOON)] * 100_001)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        "a\\b",
        "a\x00b",
        "a\nb",
        "x" * 1_025,
        "\ud800",
    ],
)
def test_bad_artifact_path_is_refused(path: str) -> None:
    """A path that is empty, absolute, too long, odd, or leaves the run names no artifact."""
    with pytest.raises(InvalidInput, match="cannot name an artifact"):
        rules.check_artifact_path(path)


@pytest.mark.parametrize("path", ["model.skops", "plots/roc curve.svg", "...", "a/.hidden", "ä/ö"])
def test_good_artifact_path_is_kept(path: str) -> None:
    """An ordinary relative path names an artifact as it is."""
    assert rules.check_artifact_path(path) == path


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (["x", "--password", "hunter2"], ("x", "--password", "***")),
        (["x", "--password=hunter2"], ("x", "--password=***")),
        (["x", "--api-key", "k", "--epochs", "3"], ("x", "--api-key", "***", "--epochs", "3")),
        (["x", "--Auth_Token=k"], ("x", "--Auth_Token=***")),
        (["x", "DB_PASSWORD=k"], ("x", "DB_PASSWORD=***")),
        (["x", "--token", "--password", "b"], ("x", "--token", "***", "b")),
        (["x", "postgresql://ann:pw@db:5432/x"], ("x", "postgresql://ann:***@db:5432/x")),
        (["x", "--max-tokens", "128"], ("x", "--max-tokens", "128")),
        (["x", "https://example.org/a?b=c"], ("x", "https://example.org/a?b=c")),
    ],
)
def test_secrets_on_the_command_line_are_redacted(given_: list[str], kept: tuple[str, ...]) -> None:
    """Values of flags that name a secret and passwords in addresses are not kept; the rest is."""
    assert rules.redact_arguments(given_) == kept
