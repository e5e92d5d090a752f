"""Any supported value as (kind, bytes): leaves by their serializer, containers as one tagged msgpack tree.

Types come back exactly: a tuple as a tuple, NaN as NaN, a struct as its class. A record's class is looked up
among the modules this process has loaded, never imported by a name from the store.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TypeAlias, cast

import msgspec

from paddock.pipelines.serializers import (
    NoSerializerError,
    dump_with,
    find_serializer,
    get_serializer,
    load_with,
)

Tree: TypeAlias = "bool | int | float | str | bytes | list[Tree] | None"

_INT64 = range(-(2**63), 2**63)
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Dumped:
    """kind: name of the serializer, or `tree`."""

    kind: str
    body: bytes


def dump_value(value: object) -> Dumped:
    """Return `value` as bytes, or raise NoSerializerError with the part that has no such form.

    >>> load_value(*dataclasses.astuple(dump_value({"rows": (1, 2)})))
    {'rows': (1, 2)}
    """
    try:
        serializer = find_serializer(value)
        if serializer is not None:
            return Dumped(serializer.name, dump_with(serializer, value))
        return Dumped("tree", msgspec.msgpack.encode(_to_tree(value, "value", 0)))
    except UnicodeEncodeError as error:
        raise NoSerializerError("a text in the value is not valid Unicode") from error


def load_value(kind: str, body: bytes) -> object:
    """Return a new value of what `dump_value` gave.

    Raises NoSerializerError when this process does not know the kind or a record's class.
    """
    if kind == "tree":
        return _from_tree(msgspec.msgpack.decode(body))
    return load_with(get_serializer(kind), body)


def is_immutable(value: object) -> bool:
    """Say whether nobody can change `value`, so that one object may be handed to many steps.

    >>> is_immutable((1, "a")), is_immutable([1])
    (True, False)
    """
    if value is None or isinstance(value, bool | int | float):
        return True
    if type(value) is tuple:
        return all(is_immutable(item) for item in value)
    serializer = find_serializer(value)
    return serializer is not None and serializer.is_immutable


def _to_tree(value: object, where: str, depth: int) -> Tree:
    """Return plain values as they are, everything else as [tag, ...]. where: path, for the message."""
    if depth > _MAX_DEPTH:
        raise NoSerializerError(f"{where[:80]} is nested more than {_MAX_DEPTH} deep")
    if value is None or type(value) in (bool, float, str, bytes) or (type(value) is int and value in _INT64):
        return cast(Tree, value)
    if type(value) is int:
        return ["int", str(value)]
    if type(value) is list or type(value) is tuple:
        tag = "list" if type(value) is list else "tuple"
        return [tag, *(_to_tree(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value))]
    if type(value) is dict:
        return ["dict", *(_pair(key, item, where, depth) for key, item in value.items())]
    if type(value) is set or type(value) is frozenset:
        items = [_to_tree(item, f"{where}{{}}", depth + 1) for item in value]
        tag = "set" if type(value) is set else "frozenset"
        return [tag, *sorted(items, key=msgspec.msgpack.encode)]
    if isinstance(value, date):
        return _time_tree(value, where)
    if (fields := record_fields(value)) is not None:
        pairs = [_pair(name, item, where, depth) for name, item in fields.items()]
        return ["record", type(value).__module__, type(value).__qualname__, *pairs]
    serializer = find_serializer(value)
    if serializer is None:
        raise NoSerializerError(f"{where[:80]} is a `{_type_name(value)}`, which has no serializer")
    return ["leaf", serializer.name, dump_with(serializer, value)]


def _pair(key: object, item: object, where: str, depth: int) -> Tree:
    path = f"{where}[{str(key)[:20]!r}]"
    return [_to_tree(key, f"a key of {where}", depth + 1), _to_tree(item, path, depth + 1)]


def _time_tree(value: date, where: str) -> Tree:
    if type(value) is date:
        return ["date", value.isoformat()]
    if type(value) is datetime and (value.tzinfo is None or type(value.tzinfo) is timezone):
        return ["datetime", value.isoformat(), value.fold]
    raise NoSerializerError(f"{where[:80]} is a time in a named zone; use `datetime.astimezone(UTC)`")


def record_fields(value: object) -> Mapping[str, object] | None:
    """Return the fields of a struct, dataclass or named tuple that its class can be called with, or None."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: getattr(value, f.name) for f in fields} if all(f.init for f in fields) else None
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(cast("tuple[str, ...]", value._fields), value, strict=True))
    return None


def _from_tree(tree: Tree) -> object:
    if not isinstance(tree, list):
        return tree
    return _BUILDERS[cast(str, tree[0])](tree[1:])


def _items(parts: list[Tree]) -> list[object]:
    return [_from_tree(part) for part in parts]


def _mapping(parts: list[Tree]) -> dict[object, object]:
    return {_from_tree(key): _from_tree(item) for key, item in cast("list[tuple[Tree, Tree]]", parts)}


def _leaf(parts: list[Tree]) -> object:
    return load_with(get_serializer(cast(str, parts[0])), cast(bytes, parts[1]))


def _record(parts: list[Tree]) -> object:
    module_name, qualname = cast(str, parts[0]), cast(str, parts[1])
    found: object = sys.modules.get(module_name)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if not (isinstance(found, type) and _is_record_class(found)):
        raise NoSerializerError(f"class `{module_name}.{qualname}` is not loaded in this process")
    fields = cast("dict[str, object]", _mapping(parts[2:]))
    try:
        return found(**fields)
    except TypeError as error:
        raise NoSerializerError(f"class `{module_name}.{qualname}` has other fields now") from error


def _is_record_class(found: type) -> bool:
    return (
        issubclass(found, msgspec.Struct)
        or dataclasses.is_dataclass(found)
        or (issubclass(found, tuple) and hasattr(found, "_fields"))
    )


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


_BUILDERS: Mapping[str, Callable[[list[Tree]], object]] = {
    "int": lambda parts: int(cast(str, parts[0])),
    "list": _items,
    "tuple": lambda parts: tuple(_items(parts)),
    "dict": _mapping,
    "set": lambda parts: set(_items(parts)),
    "frozenset": lambda parts: frozenset(_items(parts)),
    "date": lambda parts: date.fromisoformat(cast(str, parts[0])),
    "datetime": lambda parts: datetime.fromisoformat(cast(str, parts[0])).replace(fold=cast(int, parts[1])),
    "record": _record,
    "leaf": _leaf,
}
