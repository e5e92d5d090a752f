"""From the text of a filter to words, in one pass from left to right, without going back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from paddock.tracking.search.faults import Source, list_words

MAX_TEXT_BYTES = 4_096

TokenKind = Literal["name", "quoted", "text", "number", "operator", "(", ")", ",", "end"]

COMPARISONS = ("=", "!=", ">", ">=", "<", "<=")

_DIGITS = frozenset("0123456789")
_COMPARING = frozenset("<>=!")
# in a bare key, beside letters and digits: there is no arithmetic that they could be taken for
_IN_NAMES = frozenset("_.-/:@$#%")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text, from `start` to before `end`.

    text: what stands in it, without quotes. name: a target or a keyword; `scope` is what stands before its
    first dot. quoted: in double quotes, a key or a value. text: in single quotes.
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    scope: str = ""
    is_bare: bool = False

    @property
    def keyword(self) -> str:
        """The word in upper case where it can be a keyword, else an empty string."""
        return self.text.upper() if self.kind == "name" and self.is_bare and not self.scope else ""


def check_text(source: Source) -> None:
    """Raise InvalidInput for text that is too long, or that no database can compare."""
    try:
        size = len(source.text.encode())
    except UnicodeEncodeError as error:
        raise source.refuse(error.start, "a lone surrogate is no character") from error
    if size > MAX_TEXT_BYTES:
        raise source.refuse(0, f"it takes {size:,} bytes, and may take {MAX_TEXT_BYTES:,}")
    if "\0" in source.text:
        raise source.refuse(source.text.index("\0"), "a NUL character cannot be compared")


def tokenize(source: Source) -> Iterator[Token]:
    """Yield the tokens of a text; the last one is the end.

    >>> [token.text for token in tokenize(Source("params.`a b`='x' AND m>=-1e3", "filter", ""))]
    ['a b', '=', 'x', 'AND', 'm', '>=', '-1e3', '']
    """
    check_text(source)
    position, size = 0, len(source.text)
    while position < size:
        if source.text[position].isspace():
            position += 1
            continue
        token = _next_token(source, position)
        yield token
        position = token.end
    yield Token("end", "", size, size)


def is_name_character(character: str) -> bool:
    """Say whether a key with this character needs no quotes.

    >>> is_name_character("-"), is_name_character(" ")
    (True, False)
    """
    return character.isalnum() or character in _IN_NAMES


def _next_token(source: Source, start: int) -> Token:
    first = source.text[start]
    if first == "'":
        text, end = _quoted(source, start)
        return Token("text", text, start, end)
    if first in "(),":
        return Token(_PUNCTUATION[first], first, start, start + 1)
    if first in _COMPARING:
        return _operator(source, start)
    if first in _DIGITS or first in "+-.":
        return _number(source, start)
    if first.isalpha() or first in '_"`':
        return _name(source, start)
    raise source.refuse(start, "a filter has names, operators, numbers, quoted texts and parentheses")


_PUNCTUATION: dict[str, Literal["(", ")", ","]] = {"(": "(", ")": ")", ",": ","}


def _operator(source: Source, start: int) -> Token:
    end = _run(source.text, start, _COMPARING)
    operator = source.text[start:end]
    if operator not in COMPARISONS:
        raise source.refuse(start, f"`{operator}` is no operator; use {list_words(COMPARISONS)}")
    return Token("operator", operator, start, end)


def _number(source: Source, start: int) -> Token:
    """Read `[+-] digits [. digits] [e [+-] digits]`, with digits before or after the point."""
    text = source.text
    whole = start + (text[start] in "+-")
    end = _run(text, whole, _DIGITS)
    digits = end - whole
    if text[end : end + 1] == ".":
        fraction = end + 1
        end = _run(text, fraction, _DIGITS)
        digits += end - fraction
    if digits and text[end : end + 1] in ("e", "E"):
        sign = end + 1
        exponent = sign + (text[sign : sign + 1] in ("+", "-"))
        end = _run(text, exponent, _DIGITS)
        digits = end - exponent
    if not digits or (end < len(text) and is_name_character(text[end])):
        raise source.refuse(start, "expected a number such as `0.9` or `1e-3`; text stands in quotes")
    return Token("number", text[start:end], start, end)


def _name(source: Source, start: int) -> Token:
    """Read `key` or `scope.key`; either may be quoted, and the key holds whatever dots follow the first."""
    text = source.text
    if text[start] in '"`':
        first, end = _quoted(source, start)
        if text[end : end + 1] != ".":
            kind: TokenKind = "quoted" if text[start] == '"' else "name"
            return Token(kind, first, start, end)
        key, end = _key(source, end + 1)
        return Token("name", key, start, end, scope=first)
    end = start
    while end < len(text) and is_name_character(text[end]) and text[end] != ".":
        end += 1
    if text[end : end + 1] != ".":
        return Token("name", text[start:end], start, end, is_bare=True)
    key, key_end = _key(source, end + 1)
    return Token("name", key, start, key_end, scope=text[start:end], is_bare=True)


def _key(source: Source, start: int) -> tuple[str, int]:
    text = source.text
    if text[start : start + 1] in ('"', "`"):
        key, end = _quoted(source, start)
    else:
        end = start
        while end < len(text) and is_name_character(text[end]):
            end += 1
        key = text[start:end]
    if not key:
        raise source.refuse(start, "expected a key after the dot; one with spaces stands in backticks")
    return key, end


def _quoted(source: Source, start: int) -> tuple[str, int]:
    """Return what stands between quotes, and where it ends; the quote itself is written twice inside."""
    text, quote = source.text, source.text[start]
    pieces: list[str] = []
    position = start + 1
    while (closing := text.find(quote, position)) >= 0:
        pieces.append(text[position:closing])
        if text[closing + 1 : closing + 2] != quote:
            return quote.join(pieces), closing + 1
        position = closing + 2
    raise source.refuse(start, f"what begins here has no closing {quote}")


def _run(text: str, start: int, wanted: frozenset[str]) -> int:
    end = start
    while end < len(text) and text[end] in wanted:
        end += 1
    return end
