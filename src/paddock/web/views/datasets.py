"""`/datasets`: what there is. `/datasets/{name}@{v}`: what is in it, and what changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.kernel.names import check_name
from paddock.kernel.refs import parse_ref
from paddock.kernel.wording import count_of
from paddock.web.drawing import draw_bars, rebin
from paddock.web.formats import NOTHING, format_bytes, format_number, path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Cell, Column, Table, data_value, identity, moment, number, picture, share, text
from paddock.web.views.paging import take_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paddock.app import App
    from paddock.datasets import ColumnProfile, DatasetSummary, DatasetVersion
    from paddock.wire import Call

COLUMNS_PER_PAGE = 60
MOST_CATEGORIES = 20
NAMED_CATEGORIES = 3


def show_list(app: App, call: Call) -> Page:
    """Return the datasets by name."""
    taken, paging = take_page(app.datasets.list_datasets(), call)
    return Page(
        "list.html",
        "Datasets",
        "datasets",
        crumbs=(Crumb("Datasets"),),
        context={"paging": paging, "table_name": "datasets"},
        tables=tables_of(_list_table(taken, app.clock.now())),
    )


def show(app: App, call: Call) -> Page:
    """Return one version of a dataset; the newest when none is named."""
    name, _ = parse_ref("dataset", call.path["ref"])
    version = app.datasets.get(call.path["ref"])
    profile = app.datasets.get_profile(version)
    versions = app.datasets.list_versions(check_name("dataset", name))
    columns, paging = take_page(profile.columns, call, COLUMNS_PER_PAGE)
    before = next((each for each in versions if each.version == version.version - 1), None)
    return Page(
        "dataset.html",
        str(version.ref),
        "datasets",
        crumbs=(Crumb("Datasets", "/datasets"), Crumb(str(version.ref))),
        context={
            "version": version,
            "before": before,
            "changes": compare_schemas(before, version) if before else (),
            "paging": paging,
            "content": f"/api/v1{path_of('datasets', name, 'versions', version.version, 'content')}",
        },
        tables=tables_of(
            _profile_table(columns, {field.name: field.type for field in version.schema}),
            _versions_table(versions, version, app.clock.now()),
        ),
    )


def compare_schemas(before: DatasetVersion, version: DatasetVersion) -> tuple[str, ...]:
    """Return in words how the columns and rows differ from those of the version before."""
    old = {field.name: field.type for field in before.schema}
    new = {field.name: field.type for field in version.schema}
    rows = version.row_count - before.row_count
    words = [f"{count_of(abs(rows), 'row')} {'more' if rows > 0 else 'fewer'}"] if rows else []
    words += [f"new column {name} ({new[name]})" for name in new if name not in old]
    words += [f"column {name} is gone" for name in old if name not in new]
    words += [f"{name} was {old[name]}" for name in new if name in old and old[name] != new[name]]
    return tuple(words) or ("Same columns, same number of rows",)


def _list_table(found: Sequence[DatasetSummary], now: datetime) -> Table:
    return Table(
        "datasets",
        "Datasets by name",
        (
            Column("name", "Dataset"),
            Column("version", "Newest", numeric=True),
            Column("rows", "Rows", numeric=True),
            Column("columns", "Columns", numeric=True),
            Column("size_bytes", "Size", numeric=True),
            Column("created_at", "Added"),
            Column("principal", "By"),
        ),
        tuple(
            (
                text(each.name, href=path_of("datasets", each.latest.ref), length=60),
                number(each.latest.version),
                number(each.latest.row_count),
                number(len(each.latest.schema)),
                Cell(each.latest.size_bytes, format_bytes(each.latest.size_bytes)),
                moment(each.latest.created_at, now),
                text(each.latest.principal),
            )
            for each in found
        ),
        empty="No dataset yet. A version of a dataset is a file that never changes, with its profile.",
        command="paddock data add data/flights.parquet",
    )


def _versions_table(versions: Sequence[DatasetVersion], shown: DatasetVersion, now: datetime) -> Table:
    return Table(
        "versions",
        "Versions, newest first",
        (
            Column("version", "Version"),
            Column("rows", "Rows", numeric=True),
            Column("size_bytes", "Size", numeric=True),
            Column("created_at", "Added"),
            Column("principal", "By"),
            Column("source", "From"),
            Column("digest", "Digest"),
        ),
        tuple(
            (
                text(
                    str(each.ref), href="" if each.version == shown.version else path_of("datasets", each.ref)
                ),
                number(each.row_count),
                Cell(each.size_bytes, format_bytes(each.size_bytes)),
                moment(each.created_at, now),
                text(each.principal),
                text(each.source, length=40),
                identity(each.digest),
            )
            for each in versions[:COLUMNS_PER_PAGE]
        ),
    )


def _profile_table(columns: Sequence[ColumnProfile], types: dict[str, str]) -> Table:
    return Table(
        "columns",
        "Columns",
        (
            Column("column", "Column"),
            Column("type", "Type"),
            Column("missing_ratio", "Missing", numeric=True),
            Column("mean", "Mean", numeric=True),
            Column("standard_deviation", "Std. dev.", numeric=True),
            Column("minimum", "Least", numeric=True),
            Column("maximum", "Most", numeric=True),
            Column("distribution", "Distribution"),
        ),
        tuple(_column_row(column, types.get(column.name, "")) for column in columns),
        empty="This version has no columns.",
    )


def _column_row(column: ColumnProfile, kind: str) -> tuple[Cell, ...]:
    missing = (column.missing + column.nan) / column.row_count if column.row_count else 0.0
    numbers = column.kind == "number" and column.value_count > 0
    figures = (column.mean, column.standard_deviation, column.minimum, column.maximum)
    return (
        text(column.name, length=50),
        text(kind, length=30),
        share(missing),
        *(data_value(value if numbers else None) for value in figures),
        _distribution(column),
    )


def _distribution(column: ColumnProfile) -> Cell:
    if column.categories:
        ranked = sorted(zip(column.category_counts, column.categories, strict=True), reverse=True)
        named = ", ".join(f"{name} {format_number(count)}" for count, name in ranked[:NAMED_CATEGORIES])
        more = len(ranked) - NAMED_CATEGORIES
        words = f"{named} and {more:,} more" if more > 0 else named
        drawn = draw_bars([count for count, _ in ranked[:MOST_CATEGORIES]], label=words)
        return Cell(words, "", title=words, picture=drawn)
    shares = rebin(column.edges, column.counts)
    if not shares:
        return Cell(None, NOTHING)
    what = "length of the text" if column.kind == "text" else column.name
    return picture(draw_bars(shares, label=f"Histogram of {what} in {len(shares)} equal bins"))
