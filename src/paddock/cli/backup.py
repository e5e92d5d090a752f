"""`paddock backup` and `paddock restore`."""

import tempfile
from pathlib import Path

import click

from paddock.cli.showing import format_bytes
from paddock.cli.workspace import open_workspace, read_settings
from paddock.kernel.errors import NotFound
from paddock.kernel.wording import count_of


@click.command()
@click.argument("target", metavar="FILE.tar|DIR", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Write the whole store to a new folder, or to one file when the name ends in .tar.

    The store may be in use: what is written is the state of one moment. A damaged object makes the
    command fail instead of the restore.

    \b
    Examples:
      paddock backup /backups/2026-11-21
      paddock backup paddock.tar
    """
    with open_workspace() as app:
        from paddock.cli.archive import pack_folder

        _check_parent(target)
        if target.suffix == ".tar":
            with tempfile.TemporaryDirectory(
                prefix=".paddock-backup-", dir=target.resolve().parent
            ) as folder:
                report = app.governance.backup(Path(folder) / "backup")
                pack_folder(report.folder, target)
        else:
            report = app.governance.backup(target)
        size = format_bytes(report.size_bytes)
        events, objects = count_of(report.head_position, "event"), count_of(report.object_count, "object")
        click.echo(f"{target}: {events}, {objects}, {size}")
        click.echo(f"head {report.head_position} {report.head_hash}")


@click.command()
@click.argument("source", metavar="FILE.tar|DIR", type=click.Path(path_type=Path))
def restore(source: Path) -> None:
    """Make a store from a backup, at the place that --store names, which must be empty.

    Everything is compared with its digest first; then the chain of the ledger is checked.

    \b
    Example:
      paddock --store /srv/paddock restore paddock.tar
    """
    from paddock.cli.archive import unpack_archive

    if source.is_dir():
        _restore(source)
        return
    with tempfile.TemporaryDirectory(prefix="paddock-restore-") as folder:
        unpack_archive(source, Path(folder))
        _restore(Path(folder))


def _check_parent(target: Path) -> None:
    parent = target.absolute().parent
    if not parent.is_dir():
        raise NotFound(
            f"there is no folder `{parent}` to write `{target.name}` into", hint=f"mkdir -p {parent}"
        )


def _restore(source: Path) -> None:
    from paddock.app import local_folder
    from paddock.governance import restore_backup

    settings = read_settings()
    report = restore_backup(source, settings.text("store"), folder=local_folder(settings))
    events, objects = count_of(report.event_count, "event"), count_of(report.object_count, "object")
    click.echo(f"{events}, {objects}; the ledger holds")
    click.echo(f"head {report.head_position} {report.head_hash}")
    for note in report.notes:
        click.echo(note)
