"""How single objects are told apart when a step's code is followed: which have a plain description."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import importlib
import logging
import operator
import pathlib
import re
import sys
import types
import typing
import uuid
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from paddock.pipelines.origin import is_external_file, is_external_module

STDLIB = sys.stdlib_module_names
EMPTY = object()

# repr of these is complete and the same in every process
_PLAIN = (
    bool, int, float, complex, str, bytes, range, slice, types.EllipsisType, types.NotImplementedType,
    datetime.date, datetime.time, datetime.timedelta, datetime.timezone, zoneinfo.ZoneInfo, decimal.Decimal,
    fractions.Fraction, uuid.UUID, pathlib.PurePath, re.Pattern, typing.TypeVar, typing.ParamSpec,
    typing.NewType, operator.itemgetter, operator.attrgetter, operator.methodcaller,
)  # fmt: skip
_ALIASES = (types.GenericAlias, types.UnionType, type(typing.Optional[int]), type(typing.Tuple[int]))  # noqa: UP006, UP045
_PLAIN_ELSEWHERE = {
    "numpy": ("dtype", "ufunc"),
    "pyarrow": ("DataType", "Field", "Schema"),
}
_DESCRIPTORS = (
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
)
# set by the interpreter on modules and classes, or by decorators that are described in another way
INTERPRETERS_OWN = frozenset({
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__cached__",
    "__builtins__", "__path__", "__all__", "__annotations__", "__annotate__", "__annotate_func__",
    "__annotations_cache__", "__conditional_annotations__", "__module__", "__qualname__", "__dict__",
    "__weakref__", "__firstlineno__", "__static_attributes__", "__orig_bases__", "__parameters__",
    "__type_params__", "__abstractmethods__", "__warningregistry__", "__wrapped__", "_abc_impl",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """A container or a wrapper of functions, in pieces."""

    tag: str
    items: tuple[object, ...]


def describe_atom(value: object) -> list[str] | None:
    """Return a complete description of a value without parts, or None.

    >>> describe_atom(0.5), describe_atom([0.5])
    (['float', '0.5'], None)
    """
    if value is None:
        return ["None"]
    if isinstance(value, enum.Enum):
        return None
    if isinstance(value, logging.Logger):
        return ["Logger", value.name]
    kind = type(value)
    if kind in _PLAIN or (isinstance(value, _PLAIN) and kind.__module__.partition(".")[0] in STDLIB):
        return [kind.__qualname__, repr(value)]
    for module_name, names in _PLAIN_ELSEWHERE.items():
        module = sys.modules.get(module_name)
        if module is not None and isinstance(value, tuple(getattr(module, name) for name in names)):
            return [f"{module_name}.{kind.__qualname__}", str(value)]
    if isinstance(value, _DESCRIPTORS):
        return ["descriptor", value.__name__]
    return None


def split_parts(value: object) -> Parts | None:
    """Return the parts of a standard container or of a standard wrapper of functions, or None."""
    kind = type(value)
    if kind in (list, collections.deque):
        return Parts(kind.__name__, tuple(cast("Iterable[object]", value)))
    if kind in (dict, collections.OrderedDict, collections.Counter, types.MappingProxyType):
        return Parts(kind.__name__, tuple(cast("Mapping[object, object]", value).items()))
    if isinstance(value, collections.defaultdict) and kind is collections.defaultdict:
        return Parts(kind.__name__, (value.default_factory, *value.items()))
    if kind is types.SimpleNamespace:
        return Parts("namespace", tuple(vars(value).items()))
    if isinstance(value, _ALIASES):
        return Parts("alias", (typing.get_origin(value), *typing.get_args(value)))
    if isinstance(value, functools.partial):
        return Parts("partial", (value.func, value.args, value.keywords))
    if isinstance(value, property):
        return Parts("property", (value.fget, value.fset, value.fdel))
    if isinstance(value, functools.cached_property):
        return Parts("cached_property", (value.func,))
    if isinstance(value, staticmethod | classmethod | functools._lru_cache_wrapper):
        return Parts(kind.__name__, (value.__wrapped__,))
    if isinstance(value, enum.Enum):
        return Parts("enum member", (kind, value.name, value.value))
    if isinstance(value, dataclasses.Field):
        factory = None if value.default_factory is dataclasses.MISSING else value.default_factory
        default = "no default" if value.default is dataclasses.MISSING else value.default
        return Parts("field", (value.name, default, factory, value.init, value.kw_only))
    return None


def is_found_by_name(function: types.FunctionType) -> bool:
    """Say whether a function stands in an external module under its own name, so that the name tells it."""
    module = sys.modules.get(function.__module__)
    if module is None or not is_external_module(module):
        return False
    found: object = module
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def is_external_class(kind: type) -> bool:
    """Say whether a class is of the standard library, of an installed distribution or built in."""
    module = sys.modules.get(kind.__module__)
    return module is not None and is_external_module(module)


def is_untraceable(value: object, chain: tuple[str, ...]) -> bool:
    """Say whether `value` and the attributes taken from it give modules whose names are computed."""
    if value is importlib.import_module or (value is sys and chain[:1] == ("modules",)):
        return True
    return value is importlib and chain[:1] in ((), ("import_module",), ("__import__",))


def class_members(kind: type) -> Iterable[tuple[str, object]]:
    """Yield what a class of ours adds to its bases, without what Python or a decorator generates from it."""
    if issubclass(kind, enum.Enum):
        yield from ((f"({member.name})", member.value) for member in kind)
    if dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct):
        yield "(annotations)", dict(vars(kind).get("__annotations__", {}))
    for name, value in vars(kind).items():
        if issubclass(kind, enum.Enum) and _is_of_enum(name, value):
            continue
        if isinstance(value, types.FunctionType) and _is_generated(kind, name, value):
            continue
        if name == "__dataclass_fields__":
            yield name, list(cast("Mapping[str, object]", value).values())
        elif name in ("__dataclass_params__", "__struct_config__"):
            yield name, repr(value)
        elif name == "__struct_defaults__":
            yield name, [_default(item) for item in cast("tuple[object, ...]", value)]
        elif type(value).__name__ != "_tuplegetter":  # a named tuple's field, told by `_fields`
            yield name, value


def own_attributes(function: types.FunctionType) -> Iterable[tuple[str, object]]:
    """Return the attributes somebody set on a function."""
    return vars(function).items()


def own_state(value: object) -> Mapping[str, object] | None:
    """Return all the content of a plain Python instance by name, or None if it has content out of sight.

    Uses what copying uses: an object with state that only its C code sees refuses it.
    """
    kind = type(value)
    if kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__reduce__ is not object.__reduce__:
        return None
    try:
        parts = cast("tuple[object, ...]", object.__reduce_ex__(value, 2))
    except TypeError:
        return None
    arguments = cast("tuple[object, ...]", parts[1])[1:]  # the first is the class
    state = parts[2] if len(parts) > 2 else None
    items = [list(cast("Iterable[object]", part)) for part in parts[3:5] if part is not None]
    return {"(arguments)": arguments, "(state)": state, "(items)": items}


def cell_content(cell: object) -> object:
    """Return what a closure's cell holds, or EMPTY."""
    try:
        return cast(types.CellType, cell).cell_contents
    except ValueError:
        return EMPTY


def _is_generated(kind: type, name: str, function: types.FunctionType) -> bool:
    """Say whether a decorator compiled this method from text; the class's fields say what it does."""
    filename = function.__code__.co_filename
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return filename == "<string>" or is_external_file(filename)
    return dataclasses.is_dataclass(kind) and name.startswith("__") and filename == "<string>"


def _is_of_enum(name: str, value: object) -> bool:
    return (
        not isinstance(value, types.FunctionType | property | staticmethod | classmethod) or name == "__new__"
    )


def _default(item: object) -> object:
    return "no default" if item is msgspec.NODEFAULT else item
