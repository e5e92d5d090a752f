"""What is written keeps being read: a journal of the first format, as it lay on a disk."""

import math
import shutil
from pathlib import Path

import msgspec
from spool_kit import Bench

from paddock.sdk.ports import Destination
from paddock.sdk.spool.cursor import Cursor
from paddock.sdk.spool.folder import JournalFolder, list_folders
from paddock.sdk.spool.frames import encode_frame
from paddock.sdk.spool.reading import find_tail, read_chunk
from paddock.sdk.spool.records import End, File, Params, Points, Progress, Tags

FROZEN = Path(__file__).parents[3] / "frozen" / "run-spool-v1"
RUN = "0192f0c1aabb7ccc8dddeeeeffff0a1b"
START = 1_364_792_400_000_000
RECORDS = [
    Points(START, 0, {"auc": 0.71, "loss": math.inf}),
    Points(START + 1_000_000, -1, {"auc": math.nan}),
    Params({"rate": "0.1"}),
    Tags({"note": "Flüge"}),
    File("plots/roc.txt", "0192f0c1aabb7ccc8dddeeeeffff0a1c"),
    End("failed", START + 60_000_000),
]


def copy_sample(spool: Path) -> JournalFolder:
    shutil.copytree(FROZEN, spool)
    (folder,) = list_folders(spool)
    return folder


def test_the_first_format_is_read(tmp_path: Path):
    """Head, records and cursor say what they said when they were written."""
    folder = copy_sample(tmp_path / "spool")
    head = folder.read_head()
    chunk = read_chunk(folder, 0, find_tail(folder))

    assert (head.run_id, head.destination) == (RUN, Destination("http://127.0.0.1:8321", "flights"))
    assert (head.start.experiment, head.start.params, head.start_key) == (
        "delay",
        {"depth": "6"},
        f"{RUN}-start",
    )
    assert repr([stored.record for stored in chunk.records]) == repr(RECORDS)
    assert Cursor(folder.cursor_path).progress == Progress()


def test_the_first_format_is_written(tmp_path: Path):
    """Today's records are the same bytes; a change of them needs another number."""
    folder = copy_sample(tmp_path / "spool")

    assert b"".join(map(encode_frame, RECORDS)) == folder.segment_path(0).read_bytes()


def test_the_first_format_is_delivered(bench: Bench):
    """A journal that waited since then arrives whole."""
    folder = copy_sample(bench.spool)
    head = folder.read_head()
    folder.write_head(msgspec.structs.replace(head, destination=bench.destination))

    bench.deliver(bench.adopt(RUN)).leave()

    run = bench.app.tracking.get_run(RUN)
    assert (run.name, run.status, run.tags) == ("deep", "failed", {"team": "one", "note": "Flüge"})
    assert run.params == {"depth": "6", "rate": "0.1"}
    assert (run.ended_at - run.started_at).total_seconds() == 60
    assert bench.app.tracking.read_artifact(RUN, "plots/roc.txt") == b"roc\n"
    assert list(bench.spool.iterdir()) == []
