"""Writing a journal: what is there when a call is back, and what happens when nothing more fits."""

import multiprocessing
import os
import threading

import pytest
from spool_kit import MEGABYTE, Bench, points

from paddock.sdk.spool import SpoolWarning, Tags, segments
from paddock.sdk.spool.folder import JournalFolder
from paddock.sdk.spool.reading import read_chunk
from paddock.sdk.spool.records import File, Record

LARGE = Tags({"note": "x" * 7_000})


def written(bench: Bench) -> list[Record]:
    """Return what another reader finds in the journals, in order."""
    return [stored.record for delivery in bench.begun for stored in read_all(delivery.folder)]


def read_all(folder) -> list:
    found, offset, tail = [], 0, 10**9
    while (chunk := read_chunk(folder, offset, tail)).records:
        found += chunk.records
        offset = chunk.end
    return found


def test_a_record_is_with_the_kernel_when_append_is_back(bench: Bench):
    """Another reader finds each record at once, before anything was flushed or closed."""
    journal = bench.journal()
    for count, record in enumerate(points(3), start=1):
        journal.append(record)

        assert written(bench) == points(3)[:count]


def test_a_long_journal_has_segments_and_gives_them_back(bench: Bench):
    """Beyond some megabytes another file begins; one that is delivered is removed while the run goes on."""
    journal = bench.journal()
    for _ in range(1_500):
        journal.append(LARGE)
    (delivery,) = bench.begun
    before = len(delivery.folder.list_segments())

    bench.deliver(delivery)

    assert before == 3
    assert delivery.folder.list_segments() == [delivery.folder.list_segments()[-1]]
    assert delivery.freed_bytes > 8 * MEGABYTE
    assert bench.app.tracking.get_run(journal.head.run_id).tags == {"note": "x" * 7_000}


def test_beyond_its_limit_a_journal_drops_and_counts(bench: Bench):
    """The first loss is warned of, every one counted; with space given back it takes records again."""
    journal = bench.journal(max_bytes=6 * MEGABYTE)
    with pytest.warns(SpoolWarning, match=r"is dropped while .* `spool_max_bytes`") as warned:
        taken = [journal.append(LARGE) for _ in range(1_000)]
    bench.deliver(bench.begun[0])

    assert taken == sorted(taken, reverse=True)
    assert journal.dropped_count == taken.count(False) > 0
    assert len(warned) == 1
    assert journal.append(LARGE)


def test_the_end_of_a_run_is_kept_beyond_the_limit(bench: Bench):
    """What has to be written is, also where nothing else is."""
    journal = bench.journal(max_bytes=MEGABYTE)
    with pytest.warns(SpoolWarning):
        taken = [journal.append(LARGE) for _ in range(200)]

    assert not taken[-1]
    assert journal.append(Tags({"spool.dropped": "1"}), is_needed=True)
    assert written(bench)[-1] == Tags({"spool.dropped": "1"})


def test_a_file_that_does_not_fit_leaves_nothing(bench: Bench):
    """An artifact beyond the limit is dropped whole."""
    journal = bench.journal(max_bytes=MEGABYTE)
    with pytest.warns(SpoolWarning, match="`spool_max_bytes`"):
        assert journal.keep_file(bytes(2 * MEGABYTE)) == ""
    kept = journal.keep_file(b"small")

    files = list((bench.begun[0].folder.path / "files").iterdir())
    assert [file.name for file in files] == [kept]


def test_threads_lose_nothing(bench: Bench):
    """Records of several threads stand in the journal whole, each thread's in its own order."""
    journal = bench.journal()
    threads = [
        threading.Thread(target=lambda key=key: [journal.append(each) for each in points(500, key=key)])
        for key in ("a", "b", "c", "d")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = written(bench)
    for key in ("a", "b", "c", "d"):
        assert [record.step for record in found if key in record.values] == list(range(500))


def test_a_forked_child_has_a_journal_of_its_own(bench: Bench):
    """It neither writes to its parent's nor holds the lock, so each can be delivered after its process."""
    journal = bench.journal()
    journal.append(points(1)[0])
    child = multiprocessing.get_context("fork").Process(target=journal.append, args=(points(2)[1],))
    child.start()
    child.join(30)
    (delivery,) = bench.begun

    assert child.exitcode == 0
    assert written(bench) == points(1)
    others = [each for each in bench.spool.iterdir() if each != delivery.folder.path]
    assert [stored.record for stored in read_all(JournalFolder(others[0]))] == [points(2)[1]]
    assert JournalFolder(others[0]).try_lock() is not None
    assert delivery.folder.try_lock() is None


def test_behind_its_end_another_journal_begins(bench: Bench):
    """A record that comes after `close` is written all the same."""
    journal = bench.journal()
    journal.append(points(1)[0])
    journal.close()
    journal.append(points(2)[1])

    assert [delivery.is_closed for delivery in bench.begun] == [True, False]
    assert written(bench) == points(2)


def test_an_interrupt_behind_the_write_leaves_a_right_journal(bench: Bench, monkeypatch):
    """Ctrl-C between write and count takes the record back, and what comes later is found."""
    journal = bench.journal()

    def interrupted(descriptor: int, body: bytes, size: int) -> int:
        os.write(descriptor, body)
        raise KeyboardInterrupt

    monkeypatch.setattr(segments, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append(points(1)[0])
    monkeypatch.undo()
    journal.append(points(2)[1])

    assert written(bench) == [points(2)[1]]
    assert bench.begun[0].tail == bench.begun[0].folder.segment_path(0).stat().st_size


def test_a_short_write_is_taken_back(bench: Bench, monkeypatch):
    """A disk that takes half a record drops it, and the journal goes on behind the last whole one."""
    journal = bench.journal()
    journal.append(points(1)[0])
    monkeypatch.setattr(segments, "_write", lambda descriptor, body, size: os.write(descriptor, body[:10]))
    with pytest.warns(SpoolWarning, match="No space left on device"):
        assert not journal.append(points(2)[1])
    monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    assert not journal.append(points(2)[1])
    monkeypatch.undo()
    journal.append(File("a.txt", "1"))

    assert written(bench) == [*points(1), File("a.txt", "1")]
    assert journal.dropped_count == 2
