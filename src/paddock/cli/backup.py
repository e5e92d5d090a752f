"""`paddock backup` and `paddock restore`."""

import tempfile
from pathlib import Path

import click

from paddock.cli.workspace import open_workspace, read_settings


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
        from paddock.cli.snapshot import write_snapshot

        if target.suffix == ".tar":
            with tempfile.TemporaryDirectory(prefix="paddock-backup-", dir=target.resolve().parent) as folder:
                manifest = write_snapshot(app, Path(folder))
                pack_folder(Path(folder), target)
        else:
            manifest = write_snapshot(app, target)
        click.echo(f"{target}: {manifest.head_position:,} events, {manifest.object_count:,} objects")
        click.echo(f"head {manifest.head_position} {manifest.head_hash}")


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


def _restore(source: Path) -> None:
    from paddock.app import local_folder
    from paddock.cli.snapshot import check_restored, read_snapshot

    settings = read_settings()
    manifest = read_snapshot(source, settings.text("store"), local_folder(settings))
    with open_workspace() as app:
        restored = check_restored(app, manifest)
    click.echo(f"{restored.event_count:,} events, {restored.object_count:,} objects; the ledger holds")
