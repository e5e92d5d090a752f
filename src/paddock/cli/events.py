"""How events of the log are shown on the console: the event, then its fields as `key=value`."""

import json
import logging

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NEEDS_QUOTES = frozenset(" \"'=")


class EventLines(logging.Formatter):
    """`gateway.died endpoint=delay exit_code=-9 reason="killed by SIGKILL"`, and a traceback below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        fields = [f"{key}={format_value(value)}" for key, value in vars(record).items() if key not in _PLAIN]
        return " ".join([record.message, *fields])


def show_events() -> None:
    """Let warnings and errors that no handler of the program takes stand on stderr with their fields.

    The handler of last resort is changed instead of adding one, so that a pipeline may still configure
    logging as it likes.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(EventLines())


def format_value(value: object) -> str:
    """Return a field as one word; a text with spaces, quotes or control characters stands in quotes.

    >>> format_value("delay"), format_value(-9), format_value("no rows")
    ('delay', '-9', '"no rows"')
    >>> format_value("\\x1b[2J")
    '"\\\\u001b[2J"'
    """
    text = str(value)
    if not text.isprintable():
        return json.dumps(text)
    is_word = text and _NEEDS_QUOTES.isdisjoint(text)
    return text if is_word else json.dumps(text, ensure_ascii=False)
