"""Forms of pages, into structs: as strict as JSON, for what a browser sends of check boxes and fields."""

from typing import TypeVar, get_origin
from urllib.parse import parse_qsl

import msgspec

from paddock.kernel.errors import InvalidInput
from paddock.kernel.refusals import RequestRefused
from paddock.wire.misfits import describe_misfit
from paddock.wire.structs import Request

T = TypeVar("T", bound=Request)

MAX_FIELDS = 2_000


def decode_form(body: bytes, kind: type[T]) -> T:
    """Return a form as a `kind`, whose fields are texts, and tuples of texts for what may be repeated.

    Raises RequestRefused for what is no form (400), InvalidInput (422) for one that is no `kind`.

    >>> class Choice(Request, kw_only=True):
    ...     change: str
    ...     runs: tuple[str, ...] = ()
    >>> decode_form(b"runs=a&runs=b&change=delete", Choice)
    Choice(change='delete', runs=('a', 'b'))
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise RequestRefused(f"the body is no form of at most {MAX_FIELDS:,} fields in UTF-8") from error
    if any("\0" in text for pair in pairs for text in pair):
        raise RequestRefused("the form has a NUL character")
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    lists = {field.name for field in msgspec.structs.fields(kind) if get_origin(field.type) is tuple}
    twice = next((name for name, given in values.items() if len(given) > 1 and name not in lists), None)
    if twice is not None:
        raise RequestRefused(f"the form names `{twice[:40]}` twice")
    found = {name: given if name in lists else given[0] for name, given in values.items()}
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the form does not fit: {describe_misfit(error, kind)}") from error
