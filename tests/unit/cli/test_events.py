"""What the log tells on the console: the event, and every field behind it."""

import logging
import subprocess
import sys

import pytest

from paddock.cli.events import EventLines

PROGRAM = """
import logging
from paddock.cli.events import show_events
show_events()
log = logging.getLogger("paddock.cli")
log.info("gateway.started", extra={"pid": 7})
log.warning("gateway.died", extra={"endpoint": "delay", "exit_code": -9, "reason": "killed by SIGKILL"})
logging.getLogger("other").warning("%d rows", 3)
"""


def line_of(message: str, **fields: object) -> str:
    record = logging.makeLogRecord({"msg": message, "levelno": logging.WARNING, **fields})
    return EventLines().format(record)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("delay", "delay"),
        (-9, "-9"),
        (0.2, "0.2"),
        (None, "None"),
        ("", '""'),
        ("no rows", '"no rows"'),
        ("a=b", '"a=b"'),
        ('say "no"', r'"say \"no\""'),
        ("zwölf Züge", '"zwölf Züge"'),
        ("two\nlines", r'"two\nlines"'),
        ("\x1b[2J", r'"\u001b[2J"'),
        ("\u202egnp", r'"\u202egnp"'),
    ],
)
def test_value_is_one_word_or_stands_in_quotes(value: object, shown: str):
    """No value can be taken for two fields, for another line, or for an order to the terminal."""
    assert line_of("gateway.died", reason=value) == f"gateway.died reason={shown}"


def test_fields_stand_in_the_order_they_were_given():
    """The event comes first, and nothing is added that the caller did not give."""
    assert (
        line_of("server.died", exit_code=-9, restart_in_s=0.2) == "server.died exit_code=-9 restart_in_s=0.2"
    )
    assert line_of("server.restarted") == "server.restarted"


def test_traceback_stands_below_its_event():
    """An unforeseen fault keeps its trace."""
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        lines = line_of("request.crashed", request_id="r1", exc_info=sys.exc_info()).splitlines()

    assert lines[0] == "request.crashed request_id=r1"
    assert lines[-1] == "RuntimeError: boom"


def show(*before: str) -> list[str]:
    command = [sys.executable, "-c", "\n".join([*before, PROGRAM])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_warnings_are_shown_on_stderr_with_their_fields():
    """Warnings of every library are shown, lesser events are not."""
    assert show() == ['gateway.died endpoint=delay exit_code=-9 reason="killed by SIGKILL"', "3 rows"]


def test_program_that_configures_logging_is_left_alone():
    """A pipeline's own handlers get the events instead."""
    configured = "import logging; logging.basicConfig(format='own %(message)s %(exit_code)s')"

    assert show(configured)[0] == "own gateway.died -9"
