"""Many runs changed in one write."""

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import Conflict, IdempotencyConflict, InvalidInput, LimitExceeded, NotFound
from paddock.kernel.ids import new_id
from paddock.metadata import Metadata
from paddock.tracking import BulkRuns, RunsWanted, Searches, Tracking


@pytest.fixture
def bulk(metadata: Metadata, clock: SimulatedClock, tracking: Tracking) -> BulkRuns:
    return BulkRuns(metadata, clock, tracking.actor)


@pytest.fixture
def run_ids(tracking: Tracking) -> list[str]:
    return [tracking.start_run(experiment="delay").run_id for _ in range(4)]


def test_tags_are_set_on_every_run_and_found_by_searches(
    tracking: Tracking, bulk: BulkRuns, run_ids: list[str]
) -> None:
    """Each run has the tag, in its row and in its summary; those that had it already are not counted."""
    tracking.set_tags(run_ids[0], {"stage": "final"})

    assert bulk.set_tags(run_ids[:3], {"stage": "final"}) == 2

    searches = Searches(tracking.metadata, tracking.actor)
    found = searches.runs(RunsWanted(filter="tags.stage = 'final'"))
    assert {each.run.run_id for each in found.documents} == set(run_ids[:3])
    assert tracking.get_run(run_ids[1]).tags == {"stage": "final"}
    assert tracking.get_run(run_ids[3]).tags == {}


def test_deleting_and_restoring_may_be_repeated(
    tracking: Tracking, bulk: BulkRuns, run_ids: list[str]
) -> None:
    """What is deleted already is left alone, and so is what is restored; each change is one event."""
    assert [bulk.delete(run_ids[:2]), bulk.delete(run_ids[:3])] == [2, 1]
    assert [run.run_id for run in tracking.search_runs(experiment="delay").runs] == [run_ids[3]]
    assert [bulk.restore(run_ids), bulk.restore(run_ids)] == [3, 0]

    tracking.metadata.verify_ledger()
    events = tracking.metadata.events(tracking.actor.project_id, kind="run.")
    kinds = [event.kind for event in events if event.kind != "run.started"]
    assert kinds == ["run.deleted"] * 3 + ["run.restored"] * 3


def test_one_missing_run_leaves_all_as_they_are(
    tracking: Tracking, bulk: BulkRuns, run_ids: list[str]
) -> None:
    """A run that is not there, or of another project, stops the whole change and is named."""
    missing = new_id()

    with pytest.raises(NotFound, match=missing):
        bulk.delete([run_ids[0], missing])

    assert tracking.get_run(run_ids[0]).lifecycle == "active"


def test_deleted_run_takes_no_tag(tracking: Tracking, bulk: BulkRuns, run_ids: list[str]) -> None:
    """A deleted run among them stops the tag on all."""
    tracking.delete_run(run_ids[1])

    with pytest.raises(Conflict, match="is deleted"):
        bulk.set_tags(run_ids, {"a": "b"})

    assert tracking.get_run(run_ids[0]).tags == {}


def test_key_makes_two_calls_one(bulk: BulkRuns, run_ids: list[str]) -> None:
    """The same key gives the first answer again, and is refused with another request."""
    first = bulk.delete(run_ids, key="k")

    assert bulk.delete(run_ids, key="k") == first == 4
    with pytest.raises(IdempotencyConflict):
        bulk.restore(run_ids, key="k")


def test_bounds_and_faults_are_found_before_anything_is_written(bulk: BulkRuns, run_ids: list[str]) -> None:
    """More than 1,000 runs, or a tag that cannot be stored, are refused."""
    with pytest.raises(LimitExceeded, match="1,001 runs"):
        bulk.delete([new_id() for _ in range(1_001)])
    with pytest.raises(InvalidInput, match="tag key"):
        bulk.set_tags(run_ids, {"": "x"})
