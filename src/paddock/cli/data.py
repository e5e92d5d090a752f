"""`paddock data`: add, list and show datasets."""

from pathlib import Path

import click

from paddock.cli.lazy import LazyCommand, LazyGroup
from paddock.cli.showing import format_bytes, format_moment, json_option, show_facts, show_json, show_table
from paddock.cli.workspace import open_workspace
from paddock.kernel.wording import count_of

data = LazyGroup(
    "data",
    table={
        "add": LazyCommand("paddock.cli.data:add", "Add a file as the next version of a dataset"),
        "list": LazyCommand("paddock.cli.data:list_", "List datasets"),
        "show": LazyCommand("paddock.cli.data:show", "Show a version, its columns and its history"),
    },
    help="""Datasets and their versions.

\b
Example:
  paddock data add data/flights.parquet --name flights
""",
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the dataset [default: name of the file without its ending]")
@json_option
def add(file: Path, name: str | None, as_json: bool) -> None:
    """Add FILE (Parquet, CSV or Arrow) as the next version of a dataset.

    The same bytes are never stored twice: adding them again returns the version they are.

    \b
    Example:
      paddock data add data/flights.parquet --name flights
    """
    with open_workspace(creates=True) as app:
        from paddock.api import view_dataset_version

        version = app.datasets.add_file(name or file.stem, file)
        if as_json:
            show_json(view_dataset_version(version))
            return
        size = format_bytes(version.size_bytes)
        click.echo(f"{version.name}@{version.version}  {count_of(version.row_count, 'row')}  {size}")


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List datasets by name, with their newest version.

    \b
    Example:
      paddock data list --json
    """
    with open_workspace() as app:
        from paddock.api import view_dataset
        from paddock.wire.structs import DatasetPage

        found = app.datasets.list_datasets()
        if as_json:
            show_json(DatasetPage(datasets=tuple(view_dataset(each) for each in found)))
            return
        rows = [
            (
                each.name,
                str(each.latest.version),
                f"{each.latest.row_count:,}",
                format_bytes(each.latest.size_bytes),
                format_moment(each.latest.created_at),
            )
            for each in found
        ]
        columns = ("dataset", ">latest", ">rows", ">size", "added")
        show_table(columns, rows, empty="no datasets yet; add one with `paddock data add FILE`")


@click.command()
@click.argument("ref", metavar="NAME[@VERSION]")
@json_option
def show(ref: str, as_json: bool) -> None:
    """Show a version of a dataset, the newest one unless it is named.

    \b
    Example:
      paddock data show flights@3
    """
    with open_workspace() as app:
        from paddock.api import view_dataset_version

        version = app.datasets.get(ref)
        if as_json:
            show_json(view_dataset_version(version))
            return
        show_facts(
            (
                ("dataset", f"{version.name}@{version.version}"),
                ("rows", f"{version.row_count:,}"),
                ("size", format_bytes(version.size_bytes)),
                ("format", version.format),
                ("digest", version.digest),
                ("source", version.source),
                ("added", f"{format_moment(version.created_at)} by {version.principal}"),
            )
        )
        click.echo()
        show_table(("column", "type"), [(field.name, field.type) for field in version.schema], empty="")
        others = [str(each.version) for each in app.datasets.list_versions(version.name)]
        click.echo(f"\nversions: {', '.join(others)}")
