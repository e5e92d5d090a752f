"""`paddock version`."""

import click


@click.command()
def version() -> None:
    """Show the version of Paddock and of the Python it runs on.

    \b
    Example:
      paddock version
    """
    import platform

    from paddock.wire.version import paddock_version

    click.echo(f"paddock {paddock_version()} (Python {platform.python_version()})")
