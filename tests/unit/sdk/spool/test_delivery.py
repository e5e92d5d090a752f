"""Delivering journals to a real store."""

import msgspec
import pytest
from spool_kit import Bench, points

from paddock.kernel.errors import IntegrityError, StoreTooNew, Unavailable
from paddock.kernel.ids import new_id
from paddock.sdk.spool.adopting import adopt, adopt_orphans
from paddock.sdk.spool.folder import list_folders
from paddock.sdk.spool.records import End, File, Params, Points, Tags

END = End("finished", 5_000_000)


def test_everything_arrives_and_nothing_stays(bench: Bench):
    """Metrics, parameters, tags, a file and the end of a run that the store had not heard of."""
    journal = bench.journal()
    journal.append(Params({"depth": "6"}))
    for record in points(3):
        journal.append(record)
    journal.append(Tags({"team": "one"}))
    journal.append(File("note.txt", journal.keep_file(b"late")))
    journal.append(END)
    journal.close()
    (delivery,) = bench.begun

    bench.deliver(delivery)
    delivery.leave()

    run_id = journal.head.run_id
    run = bench.app.tracking.get_run(run_id)
    assert (run.status, run.params, run.tags) == ("finished", {"depth": "6"}, {"team": "one"})
    assert (run.started_at.timestamp(), run.ended_at.timestamp()) == (0.0, 5.0)
    assert bench.history(run_id, "auc") == [(0, 0.0), (1, 0.001), (2, 0.002)]
    assert bench.app.tracking.read_artifact(run_id, "note.txt") == b"late"
    assert list(bench.spool.iterdir()) == []


def test_a_store_that_is_away_loses_nothing(bench: Bench):
    """What it cannot take now is raised to the caller, and sent when it is back."""
    head = bench.leave_behind(*points(3), END)
    delivery = bench.adopt(head.run_id)
    bench.runs.is_away = True
    with pytest.raises(Unavailable):
        delivery.step(bench.runs)
    bench.runs.is_away = False

    bench.deliver(delivery)

    assert bench.history(head.run_id, "auc") == [(0, 0.0), (1, 0.001), (2, 0.002)]


def test_a_lost_answer_is_asked_for_again_as_it_was(bench: Bench):
    """The batch under way is repeated under its key, by another process too, though the journal has grown."""
    journal = bench.journal()
    for record in points(2):
        journal.append(record)
    (delivery,) = bench.begun
    delivery._start(bench.runs)
    bench.runs.loses_answers = 1
    with pytest.raises(Unavailable):
        delivery.step(bench.runs)
    for record in points(2, first=2):
        journal.append(record)
    journal.close()
    delivery.leave()
    again = bench.adopt(journal.head.run_id)

    bench.deliver(again)

    (_, lost, repeated, rest) = bench.runs.keys
    assert lost == repeated != rest
    assert [step for step, _ in bench.history(journal.head.run_id, "auc")] == [0, 1, 2, 3]


def test_a_batch_that_is_refused_takes_nothing_good_along(bench: Bench):
    """A parameter with another value is kept beside the reason and not sent again; the rest is stored."""
    head = bench.head()
    bench.runs.start(head.start, key=head.start_key)
    bench.app.tracking.log_params(head.run_id, {"depth": "6"})
    bench.leave_behind(*points(2), Params({"rate": "1"}), Params({"depth": "7"}), Tags({"a": "b"}), head=head)
    delivery = bench.adopt(head.run_id)

    bench.deliver(delivery)
    delivery.leave()

    run = bench.app.tracking.get_run(head.run_id)
    assert (run.params, run.tags) == ({"depth": "6", "rate": "1"}, {"a": "b"})
    assert len(bench.history(head.run_id, "auc")) == 2
    (refusal,) = delivery.folder.list_refusals()
    assert (refusal.what, refusal.code) == ("params", "conflict")
    assert refusal.message == "param `depth` is `6` and cannot become `7`"
    assert msgspec.msgpack.decode(refusal.records[0], type=Params) == Params({"depth": "7"})
    assert delivery.delivered_count == 4
    assert adopt_orphans(bench.spool, bench.destination) == []


def test_a_run_that_is_refused_is_kept_whole(bench: Bench):
    """It is not offered again by itself; when what was in the way is mended, it is on demand."""
    bench.app.experiments.create("delay")
    (experiment,) = [each for each in bench.app.experiments.list() if each.name == "delay"]
    bench.app.experiments.delete(experiment.experiment_id)
    head = bench.leave_behind(*points(2), END)
    delivery = bench.deliver(bench.adopt(head.run_id))
    delivery.leave()

    assert delivery.is_refused
    assert delivery.folder.list_refusals()[0].what == "the run"
    assert adopt_orphans(bench.spool, bench.destination) == []
    bench.app.experiments.restore(experiment.experiment_id)
    again = bench.adopt(head.run_id)
    again.forgive()
    bench.deliver(again)
    again.leave()
    assert len(bench.history(head.run_id, "auc")) == 2
    assert list(bench.spool.iterdir()) == []


def test_a_run_that_is_gone_from_its_store_is_refused_once(bench: Bench):
    """A thousand records of it are one refusal."""
    head = msgspec.structs.replace(bench.head(), start=None)
    bench.leave_behind(*points(1_000), END, head=head)
    delivery = bench.deliver(bench.adopt(head.run_id))

    assert [refusal.what for refusal in delivery.refusals] == ["the run"]
    assert len(bench.runs.keys) == 1


def test_a_run_waits_for_the_run_it_is_below(bench: Bench):
    """It is not refused for a parent that is still in the spool, and comes after it."""
    parent = bench.leave_behind(*points(1))
    child = bench.leave_behind(*points(1), head=bench.head(parent_id=parent.run_id))
    first = bench.adopt(child.run_id)

    assert not first.step(bench.runs)
    assert (first.is_refused, first.waits_for) == (False, parent.run_id)
    bench.deliver(bench.adopt(parent.run_id))
    bench.deliver(first)
    assert bench.app.tracking.get_run(child.run_id).parent_id == parent.run_id


def test_one_journal_is_delivered_by_one(bench: Bench):
    """While somebody holds it nobody else can take it over, in this process or another one."""
    head = bench.leave_behind(*points(1))
    (folder,) = list_folders(bench.spool, head.run_id)
    held = adopt(folder)

    assert held is not None
    assert adopt(folder) is None
    bench.deliver(held).leave()
    assert adopt(folder) is None  # it is gone, and not made anew
    assert list(bench.spool.iterdir()) == []


def test_a_torn_cursor_goes_back_one_batch(bench: Bench):
    """Of two places the newest whole one counts; what is sent again changes nothing."""
    journal = bench.journal()
    journal.append(points(1)[0])
    (delivery,) = bench.begun
    bench.deliver(delivery)
    journal.append(points(2)[1])
    bench.deliver(delivery)
    journal.close()
    delivery._lock.release()
    body = delivery.folder.cursor_path.read_bytes()
    newest = max((0, 32), key=lambda at: int.from_bytes(body[at : at + 8], "little"))
    delivery.folder.cursor_path.write_bytes(body[: newest + 9] + b"\xff" + body[newest + 10 :])
    again = bench.adopt(journal.head.run_id)

    assert again.acked < again.tail
    bench.deliver(again)
    assert bench.history(journal.head.run_id, "auc") == [(0, 0.0), (1, 0.001)]


def test_a_moved_store_takes_its_spool_along(bench: Bench, tmp_path):
    """A spool in the store's folder is for the store around it, wherever that is."""
    bench.spool = tmp_path / "store" / "spool"
    head = bench.leave_behind(*points(1))
    bench.app.close()
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    (folder,) = list_folders(tmp_path / "elsewhere" / "spool", head.run_id)

    assert folder.read_head().destination.address == str(tmp_path / "elsewhere")


def test_a_journal_of_a_newer_paddock_is_left_alone(bench: Bench):
    """It is not half understood, and says so to whoever asks for it by name."""
    head = bench.leave_behind(*points(1))
    (folder,) = list_folders(bench.spool, head.run_id)
    path = folder.path / "head.json"
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))

    with pytest.raises(StoreTooNew, match="was written by a newer Paddock"):
        adopt(folder)
    assert adopt_orphans(bench.spool, bench.destination) == []


def test_a_damaged_head_is_named(bench: Bench):
    """The error says which file; the lock is free for whoever mends it."""
    head = bench.leave_behind(*points(1))
    (folder,) = list_folders(bench.spool, head.run_id)
    (folder.path / "head.json").write_bytes(b'{"format":1,')

    with pytest.raises(IntegrityError, match=r"head\.json` is damaged"):
        adopt(folder)
    assert folder.try_lock() is not None


def test_records_of_another_store_stay(bench: Bench):
    """Whoever delivers to one store leaves what is meant for another one."""
    head = bench.head()
    elsewhere = msgspec.structs.replace(head.destination, address="http://127.0.0.1:9")
    bench.leave_behind(*points(1), head=msgspec.structs.replace(head, destination=elsewhere))

    assert adopt_orphans(bench.spool, bench.destination) == []
    assert len(adopt_orphans(bench.spool, elsewhere)) == 1


def test_not_a_number_is_delivered_as_it_is(bench: Bench):
    """NaN and the infinities pass through the spool."""
    head = bench.leave_behind(Points(0, 0, {"loss": float("nan")}), Points(0, 1, {"loss": float("-inf")}))

    bench.deliver(bench.adopt(head.run_id))

    assert repr(bench.history(head.run_id, "loss")) == "[(0, nan), (1, -inf)]"


def test_what_is_no_journal_is_passed_over(bench: Bench):
    """Other files and folders in the spool, and a journal whose head was never written, are not looked at."""
    bench.spool.mkdir()
    (bench.spool / "notes.txt").write_text("mine")
    (bench.spool / "folder").mkdir()
    (bench.spool / f"{new_id()}.0011aabb").mkdir()

    assert list(list_folders(bench.spool)) == []
