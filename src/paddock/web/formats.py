"""Values as people read them. Pure: the present moment is handed in."""

import math
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from urllib.parse import quote

from markupsafe import Markup, escape

NOTHING = "–"  # noqa: RUF001  an en dash, as tables show an empty cell

_REF = re.compile(r"\b(?P<model>[A-Za-z0-9][A-Za-z0-9._-]{0,127})@(?P<version>[1-9][0-9]{0,8})\b")
_MARKED = re.compile(rf"`(?P<literal>[^`]{{1,200}})`|{_REF.pattern}")
_RELATIVE_UNTIL = timedelta(days=30)


def format_when(moment: datetime, now: datetime) -> str:
    """Return how long ago `moment` was; beyond 30 days, or in the future, its date.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    >>> format_when(noon - timedelta(minutes=90), noon), format_when(noon - timedelta(days=90), noon)
    ('2 h ago', '3 Dec 2025')
    >>> format_when(noon - timedelta(hours=35, minutes=50), noon)
    '1 day ago'
    """
    age = now - moment
    if age < timedelta(0) or age > _RELATIVE_UNTIL:
        return format_date(moment)
    seconds = age.total_seconds()
    if seconds < 60:
        return "just now"
    for name, length, below in (("min", 60, 90), ("h", 3600, 36), ("days", 86_400, 99)):
        count = round(seconds / length)
        if count < below:
            return f"{count} {'day' if (count, name) == (1, 'days') else name} ago"
    return format_date(moment)


def format_date(moment: datetime) -> str:
    """Return the day, such as `3 Dec 2025`."""
    return f"{moment.day} {moment:%b %Y}"


def format_exact(moment: datetime) -> str:
    """Return the moment to the second, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def format_span(start: datetime, end: datetime) -> str:
    """Return a window by its first and last day, one of less than a day by its hours.

    >>> from datetime import UTC
    >>> format_span(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    '2 Mar to 8 Mar 2026'
    >>> format_span(datetime(2026, 3, 2, 5, tzinfo=UTC), datetime(2026, 3, 2, 6, tzinfo=UTC))
    '2 Mar 2026 05:00 to 06:00 UTC'
    """
    if end - start < timedelta(days=1):
        return f"{start.day} {start:%b %Y %H:%M} to {end:%H:%M} UTC"
    last = end - timedelta(days=1)
    if last <= start:
        return format_date(start)
    first = f"{start.day} {start:%b}" if start.year == last.year else format_date(start)
    return f"{first} to {format_date(last)}"


def format_duration(span: timedelta) -> str:
    """Return a length of time with its largest unit or two.

    >>> format_duration(timedelta(seconds=0.25)), format_duration(timedelta(hours=26, minutes=3))
    ('0.25 s', '1 d 2 h')
    """
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _two(minutes, "min", rest, "s")
    hours, minutes = divmod(minutes, 60)
    return _two(hours, "h", minutes, "min") if hours < 24 else _two(hours // 24, "d", hours % 24, "h")


def format_bytes(count: int) -> str:
    """Return a size in steps of 1024.

    >>> format_bytes(512), format_bytes(3_500_000)
    ('512 B', '3.3 MiB')
    """
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def format_number(value: float | None) -> str:
    """Return a measured value with four significant digits, a count with separators.

    >>> format_number(0.123456), format_number(12345), format_number(math.nan)
    ('0.1235', '12,345', 'NaN')
    """
    if value is None:
        return NOTHING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.4g}"


def format_value(value: float | None) -> str:
    """Return a value of a user's data: like `format_number`, but a year has no separator.

    >>> format_value(2013), format_value(0.123456)
    ('2013', '0.1235')
    """
    return format_number(value).replace(",", "")


def format_score(value: float | None) -> str:
    """Return a metric with three decimals.

    >>> format_score(0.7)
    '0.700'
    """
    return NOTHING if value is None else f"{value:.3f}"


def format_share(value: float) -> str:
    """Return a share of one as a percentage.

    >>> format_share(0.05), format_share(0.9876)
    ('5%', '98.8%')
    """
    return f"{round(100 * value, 1):g}%"


def short(text: str, length: int = 8) -> str:
    """Return the first characters of a digest, or the last of an id: an id starts with its time.

    >>> short("0192f0c1aabb7ccc8dddeeeeffff0000")
    'ffff0000'
    """
    if len(text) <= length:
        return text
    return text[-length:] if len(text) == 32 else text[:length]


def cut(text: str, length: int) -> str:
    """Return `text` in at most `length` characters: a sentence loses its end, a name its middle.

    >>> cut("a long name", 7), cut("experiment-12", 9)
    ('a long…', 'exper…-12')
    """
    if len(text) <= length:
        return text
    tail = 0 if " " in text else (length - 1) * 2 // 5
    return f"{text[: length - 1 - tail].rstrip()}…{text[len(text) - tail :]}"


def path_of(*segments: object) -> str:
    """Return the address of a page from its segments, each of them escaped.

    >>> path_of("models", "delay", 3), path_of("runs", "a/b")
    ('/models/delay/3', '/runs/a%2Fb')
    """
    return "".join(f"/{quote(str(segment), safe='@')}" for segment in segments)


def as_sentence(words: str) -> str:
    """Return `words` with a capital letter at the beginning, unless they begin with a reference.

    >>> as_sentence("worse than before"), as_sentence("delay@3 answers")
    ('Worse than before', 'delay@3 answers')
    """
    return words if _REF.match(words) else words[:1].upper() + words[1:]


def mark_up(words: str, models: Collection[str]) -> Markup:
    """Return `words`, escaped, with links on every `model@version` of these models and literals as code.

    >>> str(mark_up("Kept delay@6 & `0 3 * * 1`", ["delay"]))
    'Kept <a href="/models/delay/6">delay@6</a> &amp; <code>0 3 * * 1</code>'
    """
    parts: list[Markup] = []
    end = 0
    for match in _MARKED.finditer(words):
        if match["literal"]:
            shown = Markup("<code>{}</code>").format(match["literal"])
        elif match["model"] in models:
            href = path_of("models", match["model"], match["version"])
            shown = Markup('<a href="{}">{}</a>').format(href, match[0])
        else:
            continue
        parts += [escape(words[end : match.start()]), shown]
        end = match.end()
    return Markup("").join([*parts, escape(words[end:])])


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large} {unit} {small} {small_unit}" if small else f"{large} {unit}"
