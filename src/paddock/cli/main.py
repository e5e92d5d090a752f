"""From the words of the command line to an exit code."""

import os
import sys
from collections.abc import Sequence

import click

from paddock.cli.commands import root
from paddock.kernel.errors import PaddockError

INTERRUPTED = 130
USAGE = 2
CRASHED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the error it ended with."""
    stdout = sys.stdout
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
        return _end(_with_problems(error), error.hint, error.exit_code)
    except SystemExit as end:
        # click puts another stdout in place when the reader, such as `head`, is gone; that is no error
        return end.code if sys.stdout is stdout and isinstance(end.code, int) else 0
    except Exception as error:  # the face: what nobody foresaw is one line, too
        if os.environ.get("PADDOCK_DEBUG"):
            raise
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        return _end(f"a fault in Paddock: {words}", "PADDOCK_DEBUG=1 shows where", CRASHED)
    return result if isinstance(result, int) else 0


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
