"""Why JSON does not fit a struct, in words a sender can act on."""

import re
from collections.abc import Iterator

import msgspec
from msgspec import inspect

from paddock.kernel.names import nearest

_MOST_LETTERS = 200
_LONGEST_NAME = 64  # no field of ours is longer, and looking for the nearest costs its square
_UNKNOWN = re.compile(
    r"object contains unknown field `(?P<name>.*?)`(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL
)
_STEP = re.compile(r"\.([^.\[]+)|\[[^\]]*\]")


def describe_misfit(error: msgspec.ValidationError, kind: type) -> str:
    """Return what msgspec found, and for a field that `kind` does not have the nearest it has.

    >>> class Point(msgspec.Struct, forbid_unknown_fields=True):
    ...     value: float
    >>> try:
    ...     msgspec.json.decode(b'{"valeu": 1}', type=Point)
    ... except msgspec.ValidationError as error:
    ...     describe_misfit(error, Point)
    'object contains unknown field `valeu`; the nearest is `value`'
    """
    words = str(error)[:1].lower() + str(error)[1:]
    unknown = _UNKNOWN.fullmatch(words)
    if unknown is None or len(unknown["name"]) > _LONGEST_NAME:
        return words if len(words) <= _MOST_LETTERS else f"{words[:_MOST_LETTERS]}..."
    match = nearest(unknown["name"], _fields_at(kind, unknown["path"] or ""))
    return f"{words}; the nearest is `{match}`" if match else words


def _fields_at(kind: type, path: str) -> list[str]:
    """Return the fields of the structs that may stand at `path`, such as `.metrics[0]`."""
    found = [*_alternatives(inspect.type_info(kind))]
    for step in _STEP.finditer(path):
        found = [inner for each in found for inner in _enter(each, step[1])]
    return [
        field.encode_name for each in found if isinstance(each, inspect.StructType) for field in each.fields
    ]


def _enter(each: inspect.Type, name: str | None) -> Iterator[inspect.Type]:
    if isinstance(each, inspect.StructType):
        for field in each.fields:
            if field.encode_name == name:
                yield from _alternatives(field.type)
    elif isinstance(each, inspect.DictType):
        yield from _alternatives(each.value_type)
    elif isinstance(each, inspect.CollectionType):
        yield from _alternatives(each.item_type)


def _alternatives(each: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the members of a union, or the type itself."""
    if isinstance(each, inspect.UnionType):
        yield from each.types
    else:
        yield each
