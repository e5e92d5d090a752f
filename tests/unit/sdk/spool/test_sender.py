"""The thread that delivers: what it does by itself, what it waits for, and what it says."""

import warnings
from collections.abc import Iterator

import msgspec
import pytest
from gateway_kit import wait_until
from spool_kit import Bench, points

from paddock.sdk.ports import Destination
from paddock.sdk.spool.journal import Journal, Place
from paddock.sdk.spool.records import End, Head, Params, Record
from paddock.sdk.spool.sender import Sender
from paddock.sdk.spool.warning import SpoolWarning

END = End("finished", 0)


@pytest.fixture
def sender(bench: Bench) -> Iterator[Sender]:
    sender = Sender(bench.lend)
    yield sender
    bench.runs.is_away = False
    for delivery in list(sender._posts):
        delivery.is_closed = True
        sender.flush(delivery, delivery.tail, 20)


def begin(bench: Bench, sender: Sender, head: Head | None = None) -> Journal:
    journal = Journal(Place(bench.spool, 10_000_000), head or bench.head(), sender.add)
    journal.begin()
    return journal


def log_and_flush(journal: Journal, sender: Sender, record: Record, timeout_s: float) -> str:
    journal.append(record)
    assert journal.delivery is not None
    return sender.flush(journal.delivery, journal.end, timeout_s)


def test_what_is_logged_arrives_by_itself(bench: Bench, sender: Sender):
    """Nobody has to flush while a run goes on."""
    journal = begin(bench, sender)
    journal.append(points(1)[0])

    wait_until(lambda: bench.runs.keys[1:] != [] and len(bench.history(journal.head.run_id, "auc")) == 1)


def test_a_flush_waits_for_the_store(bench: Bench, sender: Sender):
    """When it is back without words, all that was logged before is there."""
    journal = begin(bench, sender)
    for record in points(7_000):
        journal.append(record)

    assert sender.flush(journal.delivery, journal.end, 60) == ""
    assert len(bench.history(journal.head.run_id, "auc")) == 7_000


def test_trouble_is_warned_of_once_and_mended(bench: Bench, sender: Sender):
    """Between being away and being back there is one warning, and nothing is lost."""
    journal = begin(bench, sender)
    sender.flush(journal.delivery, journal.end, 20)
    bench.runs.is_away = True
    with pytest.warns(SpoolWarning) as warned:
        reasons = [log_and_flush(journal, sender, record, 1) for record in points(3)]
    bench.runs.is_away = False

    assert sender.flush(journal.delivery, journal.end, 20) == ""
    assert reasons == ["the store is away"] * 3
    assert [step for step, _ in bench.history(journal.head.run_id, "auc")] == [0, 1, 2]
    assert len(warned) == 1
    assert f"run {journal.head.run_id} goes on without its store: the store is away" in str(warned[0].message)


def test_warnings_that_are_errors_do_not_stop_the_thread(bench: Bench, sender: Sender):
    """A process that makes errors of warnings gets its runs delivered all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        journal = begin(bench, sender)
        sender.flush(journal.delivery, journal.end, 20)
        bench.runs.is_away = True
        journal.append(points(1)[0])
        sender.flush(journal.delivery, journal.end, 1)
        bench.runs.is_away = False

        assert sender.flush(journal.delivery, journal.end, 20) == ""


def test_a_store_that_was_never_reached_is_not_waited_for(bench: Bench, sender: Sender):
    """The end of a run that was offline all along comes after one more try, whatever the patience."""
    bench.runs.is_away = True
    journal = begin(bench, sender)
    journal.append(END)
    journal.close()

    assert sender.flush(journal.delivery, journal.end, 3_600) == "the store is away"


def test_a_refusal_is_warned_of_when_it_comes(bench: Bench, sender: Sender):
    """The warning has the reason and the place where the records are kept."""
    journal = begin(bench, sender)
    sender.flush(journal.delivery, journal.end, 20)
    bench.app.tracking.log_params(journal.head.run_id, {"depth": "6"})
    with pytest.warns(SpoolWarning, match=r"refuses params of run .*: param `depth` is `6`.*refused\.jsonl"):
        log_and_flush(journal, sender, Params({"depth": "7"}), 20)

    assert [refusal.what for refusal in journal.delivery.refusals] == ["params"]


def test_runs_arrive_in_the_order_they_began_in(bench: Bench, sender: Sender):
    """A parent that began while the store was away is there before its child, so neither is refused."""
    bench.runs.is_away = True
    parent = begin(bench, sender)
    child = begin(bench, sender, bench.head(parent_id=parent.head.run_id))
    for journal in (child, parent):
        journal.append(END)
        journal.close()
    bench.runs.is_away = False

    for journal in (child, parent):
        sender.flush(journal.delivery, journal.delivery.tail, 20)
    assert bench.app.tracking.get_run(child.head.run_id).parent_id == parent.head.run_id
    assert parent.delivery.refusals == child.delivery.refusals == []


def test_what_a_process_has_left_is_delivered_by_the_next(bench: Bench, sender: Sender):
    """A journal whose process was killed is taken over, and nothing of it stays in the spool."""
    head = bench.leave_behind(*points(3))
    sender.look_for_orphans(bench.spool, bench.destination)

    wait_until(lambda: list(bench.spool.iterdir()) == [])
    assert len(bench.history(head.run_id, "auc")) == 3


def test_an_orphan_is_let_go_of_when_the_store_is_away(bench: Bench, sender: Sender):
    """Somebody else can deliver it then."""
    head = bench.leave_behind(*points(3))
    bench.runs.is_away = True
    sender.look_for_orphans(bench.spool, bench.destination)
    wait_until(lambda: sender._thread is None)

    bench.runs.is_away = False
    bench.deliver(bench.adopt(head.run_id))
    assert len(bench.history(head.run_id, "auc")) == 3


def test_the_thread_ends_with_the_last_run(bench: Bench, sender: Sender):
    """A process that logs nothing any more has no thread for it; the next run starts one."""
    for _ in range(2):
        journal = begin(bench, sender)
        journal.append(END)
        journal.close()
        sender.flush(journal.delivery, journal.delivery.tail, 20)
        wait_until(lambda: sender._thread is None)

    assert list(bench.spool.iterdir()) == []


def test_a_store_that_was_let_go_of_leaves_the_journal_to_others(bench: Bench, sender: Sender):
    """A process that is connected elsewhere by now does not hold what it cannot deliver."""
    head = msgspec.structs.replace(bench.head(), start=None, destination=Destination("elsewhere"))

    def log() -> None:
        journal = begin(bench, sender, head)
        journal.append(points(1)[0])
        journal.close()
        sender.flush(journal.delivery, journal.delivery.tail, 20)

    with pytest.warns(SpoolWarning, match="has let go of `elsewhere`"):
        log()

    assert bench.adopt(head.run_id).tail > 0


def test_a_spool_that_is_taken_away_ends_the_delivery_alone(bench: Bench, sender: Sender, tmp_path):
    """Whoever removes the folder of a run that goes on gets a warning, and the next run is delivered."""
    journal = begin(bench, sender)
    journal.append(points(1)[0])
    sender.flush(journal.delivery, journal.end, 20)
    bench.spool.rename(tmp_path / "away")
    with pytest.warns(SpoolWarning, match="is not delivered any more"):
        reason = log_and_flush(journal, sender, points(1)[0], 20)
    journal.close()
    after = begin(bench, sender)
    after.append(points(1)[0])

    assert "No such file or directory" in reason
    assert sender.flush(after.delivery, after.end, 20) == ""
