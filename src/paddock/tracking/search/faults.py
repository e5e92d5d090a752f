"""Errors of a search: where in the text, what stands there, and what is expected instead."""

from dataclasses import dataclass

from paddock.kernel.errors import InvalidInput

_SNIPPET_CHARACTERS = 24


@dataclass(frozen=True, slots=True)
class Source:
    """A text that somebody wrote. what: how it is called in messages, `filter` or `order`."""

    text: str
    what: str
    example: str

    def refuse(self, position: int, fault: str) -> InvalidInput:
        """Return the error that points at `position`, counted from 0.

        >>> source = Source("metrics.auc >> 1", "filter", "metrics.auc > 0.9")
        >>> source.refuse(12, "`>>` is no operator").message
        'filter is wrong at character 13, `>> 1`: `>>` is no operator'
        """
        piece = quote_piece(self.text[position : position + _SNIPPET_CHARACTERS])
        where = f"character {position + 1}, `{piece}`" if piece else "its end"
        return InvalidInput(
            f"{self.what} is wrong at {where}: {fault}", hint=self.example, position=position + 1
        )


def quote_piece(text: str) -> str:
    """Return `text` fit for one line of a message.

    >>> quote_piece("a\\tb")
    'a\\\\tb'
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def list_words(words: tuple[str, ...]) -> str:
    """Return alternatives as they are said.

    >>> list_words(("=", "!=", "LIKE")), list_words(("name",))
    ('`=`, `!=` or `LIKE`', '`name`')
    """
    quoted = [f"`{word}`" for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
