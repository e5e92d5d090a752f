"""From the words of the command line to an exit code."""

import errno
import os
import sys
from collections.abc import Mapping, Sequence

import click

from paddock.cli.commands import root
from paddock.cli.events import show_events
from paddock.cli.showing import show_problem
from paddock.kernel.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    NotFound,
    PaddockError,
    StorageFull,
)

INTERRUPTED = 130
USAGE = 2
CRASHED = 1

# what the operating system refuses in ordinary operation: what could not be done, as which error, what to do
_ORDINARY: Mapping[int, tuple[str, type[PaddockError], str]] = {
    errno.EROFS: ("write", Forbidden, "choose a place that can be written, such as --store FOLDER"),
    errno.EACCES: ("open", Forbidden, "ls -ld shows who may; choose another place or change its mode"),
    errno.EPERM: ("change", Forbidden, "ls -ld shows who may; choose another place or change its mode"),
    errno.ENOSPC: ("write", StorageFull, "df -h shows how full each disk is"),
    errno.EDQUOT: ("write", StorageFull, "quota shows how much you may use"),
    errno.ENOENT: ("find", NotFound, "check the path"),
    errno.ENOTDIR: ("open", InvalidInput, "a part of the path is a file; name a folder"),
    errno.EISDIR: ("open", InvalidInput, "name a file in that folder"),
    errno.EEXIST: ("make", AlreadyExists, "choose another name"),
    errno.ENAMETOOLONG: ("open", InvalidInput, "choose a shorter name"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the error it ended with.

    With `--json` an error stands on stdout, too, as the API would answer it.
    """
    stdout = sys.stdout
    show_events()
    try:
        result = root.main(
            args=None if arguments is None else list(arguments), prog_name="paddock", standalone_mode=False
        )
    except (KeyboardInterrupt, click.Abort):
        return _end("stopped", "", INTERRUPTED)
    except click.ClickException as error:
        return _end_usage(error)
    except PaddockError as error:
        if os.environ.get("PADDOCK_DEBUG"):
            raise
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            show_problem(error)
        return _end(_with_problems(error), error.hint, error.exit_code)
    except OSError as error:
        if os.environ.get("PADDOCK_DEBUG"):
            raise
        return _end_system(error)
    except SystemExit as end:
        # click puts another stdout in place when the reader, such as `head`, is gone; that is no error
        return _end_exit(end) if sys.stdout is stdout else 0
    except Exception as error:  # the face: what nobody foresaw is one line, too
        if os.environ.get("PADDOCK_DEBUG"):
            raise
        return _end_fault(error)
    return result if isinstance(result, int) else 0


def _end_system(error: OSError) -> int:
    """Tell what the operating system refused; what a person cannot mend is a fault like any other."""
    ordinary = _ORDINARY.get(error.errno or 0)
    if ordinary is None or not error.filename:
        return _end_fault(error)
    verb, kind, hint = ordinary
    path = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return _end(f"cannot {verb} `{path}`: {os.strerror(error.errno or 0)}", hint, kind.exit_code)


def _end_fault(error: Exception) -> int:
    words = f"{type(error).__name__}: {error}".splitlines()[0]
    return _end(f"a fault in Paddock: {words}", "PADDOCK_DEBUG=1 shows where", CRASHED)


def _end_exit(end: SystemExit) -> int:
    """Do as Python does: a number is the exit code, anything else is told and ends with 1."""
    if end.code is None or isinstance(end.code, int):
        return int(end.code or 0)
    click.echo(end.code, err=True)
    return CRASHED


def _end_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return USAGE
    command = context.command_path if context else "paddock"
    message = error.format_message().rstrip(".")
    if isinstance(error, click.NoSuchOption):
        nearest = f"; the nearest is `{error.possibilities[0]}`" if error.possibilities else ""
        message = f"`{error.option_name[:40]}` is not an option{nearest}"
    return _end(message[:1].lower() + message[1:], f"{command} --help", USAGE)


def _with_problems(error: PaddockError) -> str:
    """Return the message, with the single problems below it when it does not name them itself."""
    missing = [problem for problem in error.problems if problem not in error.message]
    return "\n".join([error.message, *(f"  - {problem}" for problem in missing)])


def _end(message: str, hint: str, code: int) -> int:
    label = "" if code == INTERRUPTED else "error: "
    click.echo(f"{label}{message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return code
