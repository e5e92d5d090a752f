"""`paddock sync` on spools of all kinds."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from spool_kit import Bench, open_bench, points

from paddock.cli import main
from paddock.kernel.errors import Unavailable
from paddock.kernel.refs import Actor, ProjectId
from paddock.sdk.ports import Destination
from paddock.sdk.spool.records import End, Head, Params

END = End("finished", 0)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    for name in ("PADDOCK_STORE", "PADDOCK_URI", "PADDOCK_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    bench = open_bench(tmp_path)
    yield bench
    bench.app.close()


def sync(capsys: pytest.CaptureFixture[str], bench: Bench, *words: str) -> tuple[int, str]:
    code = main(["sync", "--spool", str(bench.spool), *words])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out


def test_nothing_waits(capsys, bench: Bench):
    """An empty spool, or none at all, is said to be so."""
    assert sync(capsys, bench) == (0, "nothing waits to be delivered\n")
    assert sync(capsys, bench, "--json") == (0, '{\n  "journals": []\n}\n')


def test_everything_is_delivered_and_counted(capsys, bench: Bench):
    """The words say how much it was; a second call finds nothing."""
    first = bench.leave_behind(*points(3), END)
    bench.leave_behind(*points(2))

    assert sync(capsys, bench) == (0, "6 records of 2 runs delivered\n")
    assert sync(capsys, bench) == (0, "nothing waits to be delivered\n")
    assert bench.app.tracking.get_run(first.run_id).status == "finished"


def test_what_is_refused_is_named(capsys, bench: Bench):
    """Exit code 4; the reason is told again by every call until the folder is removed."""
    head = bench.head()
    bench.runs.start(head.start, key=head.start_key)
    bench.app.tracking.log_params(head.run_id, {"depth": "6"})
    bench.leave_behind(*points(1), Params({"depth": "7"}), head=head)

    code, out = sync(capsys, bench)
    (folder,) = bench.spool.iterdir()
    assert code == 4
    assert out == (
        "1 record of 1 run delivered\n"
        f"run {head.run_id} is refused in part; see `{folder}`\n"
        "  - params: param `depth` is `6` and cannot become `7`\n"
    )
    code, out = sync(capsys, bench, "--json")
    (journal,) = json.loads(out)["journals"]
    assert (code, journal["state"], journal["record_count"]) == (4, "refused", 0)


def test_what_cannot_be_delivered_is_left(capsys, bench: Bench):
    """Exit code 6: no server, no store any more, another database, a head that is damaged; each says why."""
    places = ("http://127.0.0.1:9", str(bench.spool.parent / "gone"), "postgresql://ann@db/runs")
    for place in places:
        head = bench.head()
        bench.leave_behind(
            END,
            head=Head(
                run_id=head.run_id,
                destination=Destination(place, "default", "ann"),
                created_at=head.created_at,
            ),
        )
    damaged = bench.leave_behind(END)
    (folder,) = [path for path in bench.spool.iterdir() if path.name.startswith(damaged.run_id)]
    (folder / "head.json").write_bytes(b"{")

    code, out = sync(capsys, bench, "--json")

    journals = json.loads(out)["journals"]
    assert code == 6
    assert {journal["state"] for journal in journals} == {"left"}
    problems = " ".join(problem for journal in journals for problem in journal["problems"])
    assert "the server at `http://127.0.0.1:9` does not answer" in problems
    assert f"there is no store in `{places[1]}`" in problems
    assert "this is meant for `postgresql://ann@db/runs`" in problems
    assert "head.json` is damaged" in problems


def test_a_store_that_is_away_is_asked_once(capsys, bench: Bench, monkeypatch):
    """A hundred runs for one server do not wait for it a hundred times."""
    head = bench.head()
    for _ in range(3):
        bench.leave_behind(
            END,
            head=Head(
                run_id=bench.head().run_id,
                destination=Destination("http://127.0.0.1:9"),
                created_at=head.created_at,
            ),
        )
    asked: list[str] = []

    def refuse(url: str, *, project: str = "") -> None:
        asked.append(url)
        raise Unavailable("away")

    monkeypatch.setattr("paddock.sdk.remote.open_http", refuse)

    assert sync(capsys, bench)[0] == 6
    assert asked == ["http://127.0.0.1:9"]


def test_a_record_says_who_logged_it(capsys, bench: Bench):
    """A run is delivered in the name and the project of its process, whoever calls the command."""
    head = bench.head()
    ours = Destination(bench.destination.address, "fraud", "carol")
    bench.leave_behind(
        END,
        head=Head(
            run_id=head.run_id, destination=ours, created_at=head.created_at, start=head.start, start_key="k"
        ),
    )

    assert sync(capsys, bench)[0] == 0
    run = bench.app.acting_as(Actor(ProjectId("fraud"), "ann")).tracking.get_run(head.run_id)
    assert run.principal == "carol"
