"""Every run that the table finds, as a file that is sent while it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from paddock.tracking import Run, RunsWanted, Target, read_document
from paddock.web.tables import write_csv_lines
from paddock.web.views.run_columns import column_of, value_of
from paddock.wire import StreamAnswer, content_disposition

if TYPE_CHECKING:
    from paddock.app import App

ROWS_AT_A_TIME = 1_000
# what tells a row of a file apart, whatever the page shows
_ALWAYS = tuple(Target("attribute", name) for name in ("run_name", "run_id", "experiment_id"))


def stream_runs(
    app: App, wanted: RunsWanted, pinned: Sequence[Run], columns: Sequence[Target], format: str
) -> StreamAnswer:
    """Return the pinned runs and then all others that `wanted` finds, in its order, as `csv` or `json`.

    Runs that start meanwhile are not in it; each page of it is of one moment.
    """
    shown = tuple(dict.fromkeys((*_ALWAYS, *columns)))
    pages = _read_pages(app, wanted, pinned)
    if format == "csv":
        headers = {"Content-Disposition": content_disposition("runs.csv")}
        return StreamAnswer(_write_csv(pages, shown), None, "text/csv; charset=utf-8", headers=headers)
    return StreamAnswer(_write_json(pages, shown), None)


def _read_pages(app: App, wanted: RunsWanted, pinned: Sequence[Run]) -> Iterator[Sequence[Run]]:
    on_top = {run.run_id for run in pinned}
    yield pinned
    cursor = ""
    while True:
        page = app.searches.runs(wanted, limit=ROWS_AT_A_TIME, cursor=cursor)
        yield [read_document(each) for each in page.documents if each.run.run_id not in on_top]
        cursor = page.next_cursor
        if not cursor:
            return


def _write_csv(pages: Iterator[Sequence[Run]], columns: Sequence[Target]) -> Iterator[bytes]:
    yield write_csv_lines([[column_of(each).key for each in columns]])
    for runs in pages:
        if runs:
            yield write_csv_lines([value_of(each, run) for each in columns] for run in runs)


def _write_json(pages: Iterator[Sequence[Run]], columns: Sequence[Target]) -> Iterator[bytes]:
    keys = [column_of(each).key for each in columns]
    before = b"[\n"
    for runs in pages:
        if runs:
            yield before + b",\n".join(_record(keys, columns, run) for run in runs)
            before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"


def _record(keys: Sequence[str], columns: Sequence[Target], run: Run) -> bytes:
    return msgspec.json.encode({key: value_of(each, run) for key, each in zip(keys, columns, strict=True)})
