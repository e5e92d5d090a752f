"""What a step's code is: a digest over everything first-party that the step can reach.

Reached are functions, classes, constants, closures and defaults, through modules and imports in bodies, as
they are in memory now. Not reached is what an installed distribution, the standard library or Paddock brings:
the list of packages stands for it. What cannot be told (a lock, an open file, `eval`) makes the step
uncacheable, with the reason; guessing would serve stale results.
"""

import builtins
import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TypeAlias

import msgspec

from paddock.kernel.digest import digest_bytes
from paddock.pipelines import atoms
from paddock.pipelines.bytecode import Use, analyze_code
from paddock.pipelines.decorators import Pipeline, Step
from paddock.pipelines.origin import is_external_file, is_external_module
from paddock.pipelines.serializers import NoSerializerError, dump_with, find_serializer
from paddock.pipelines.trees import record_fields

Plain: TypeAlias = "bool | int | float | str | Sequence[Plain] | None"

_UNTRACEABLE = frozenset({"eval", "exec", "__import__"})
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """digest: empty when the code cannot be told; then problem says what stands in the way."""

    digest: str
    problem: str = ""


def fingerprint(value: object) -> Fingerprint:
    """Return the fingerprint of a step, function, class or constant.

    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 1)
    True
    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 2)
    False
    """
    walk = _Walk()
    try:
        root = walk.describe(value, "the step")
    except OpaqueError as error:
        return Fingerprint("", str(error))
    except RecursionError:
        return Fingerprint("", "its code reaches values nested too deeply to follow")
    return Fingerprint(digest_bytes(msgspec.msgpack.encode([root, walk.definitions])))


class OpaqueError(Exception):
    """Something was reached whose content cannot be told; the message says what and where."""


@dataclass(slots=True)
class _Walk:
    """One traversal. definitions: functions, classes and containers met, named by their place in the list.

    The order depends on the code alone, so equal code gives equal lists in every process.
    """

    definitions: list[Plain] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)
    _kept: list[object] = field(default_factory=list)  # alive, so that no id is used twice

    def describe(self, value: object, where: str) -> Plain:
        atom = atoms.describe_atom(value)
        if atom is not None:
            return atom
        if type(value) is tuple:  # in line: whether equal tuples are one object is the compiler's choice
            return ["tuple", *(self.describe(item, where) for item in value)]
        if type(value) is set or type(value) is frozenset:
            return [type(value).__name__, *sorted(_digest_alone(item, where) for item in value)]
        if id(value) in self._places:
            return ["seen", self._places[id(value)]]
        place = len(self.definitions)
        self._places[id(value)] = place
        self._kept.append(value)
        self.definitions.append(None)
        self.definitions[place] = self._define(value, where)
        return ["seen", place]

    def _define(self, value: object, where: str) -> Plain:
        if isinstance(value, Step | Pipeline):
            return ["step", self.describe(value.function, where)]
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, ModuleType):
            return self._module(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, MethodType):
            return ["method", self.describe(value.__func__, where), self.describe(value.__self__, where)]
        if isinstance(value, BuiltinFunctionType):
            return self._builtin(value, where)
        parts = atoms.split_parts(value)
        if parts is not None:
            return [parts.tag, *(self.describe(part, where) for part in parts.items)]
        return self._instance(value, where)

    def _function(self, function: FunctionType) -> Plain:
        name = f"{function.__module__}.{function.__qualname__}"
        is_external = is_external_file(function.__code__.co_filename)
        if is_external and atoms.is_found_by_name(function):
            return ["external", name]
        facts = analyze_code(function.__code__)
        names = function.__code__.co_freevars
        cells = zip(names, function.__closure__ or (), strict=True)
        return [
            "function",
            facts.digest,
            self.describe(function.__defaults__, f"a default of `{name}`"),
            self.describe(function.__kwdefaults__, f"a default of `{name}`"),
            [self._cell(cell, f"`{variable}`, captured by `{name}`,") for variable, cell in cells],
            self._named(atoms.own_attributes(function), f"an attribute of `{name}`"),
            # an external function that wraps one of ours is pinned by its package, but for what it captured
            [] if is_external else [self._use(function, use) for use in facts.uses],
        ]

    def _cell(self, cell: object, where: str) -> Plain:
        content = atoms.cell_content(cell)
        return ["empty"] if content is atoms.EMPTY else self.describe(content, where)

    def _use(self, function: FunctionType, use: Use) -> Plain:
        if use.is_import:
            return self._import(function, use)
        scope = function.__globals__
        where = f"global `{use.name}` of `{function.__module__}`"
        if use.name in scope:
            return [use.name, self._follow(scope[use.name], use.chain, where)]
        if use.name in _UNTRACEABLE and hasattr(builtins, use.name):
            raise OpaqueError(f"`{function.__qualname__}` calls `{use.name}`, so what it runs cannot be told")
        if use.name == "globals":
            return [use.name, self._named(scope.items(), f"a global of `{function.__module__}`")]
        return [use.name, "builtin" if hasattr(builtins, use.name) else "missing"]

    def _follow(self, value: object, chain: tuple[str, ...], where: str) -> Plain:
        """Describe what `value.a.b` reaches: of a module only the attribute taken, else the whole value."""
        if atoms.is_untraceable(value, chain):
            raise OpaqueError(f"{where} gives modules by computed names, so what it runs cannot be told")
        if not isinstance(value, ModuleType) or is_external_module(value) or not chain:
            return self.describe(value, where)
        attribute = getattr(value, chain[0], _MISSING)
        if attribute is _MISSING:
            return [chain[0], "missing"]
        where = f"global `{chain[0]}` of `{value.__name__}`"
        return [chain[0], self._follow(attribute, chain[1:], where)]

    def _import(self, function: FunctionType, use: Use) -> Plain:
        package = str(function.__globals__.get("__package__") or "")
        name = importlib.util.resolve_name("." * use.level + use.name, package) if use.level else use.name
        if name.partition(".")[0] in atoms.STDLIB:
            if name == "importlib":
                raise OpaqueError(
                    f"`{function.__qualname__}` imports `importlib`; what it runs cannot be told"
                )
            return ["external", name]
        try:
            module = importlib.import_module(name)  # the step would import it now anyway
        except ImportError:
            return [name, "missing"]
        if is_external_module(module):
            return ["external", name]
        if not use.chain or "*" in use.chain:
            return self.describe(module, name)
        return [name, *(self._follow(module, (taken,), name) for taken in use.chain)]

    def _module(self, module: ModuleType) -> Plain:
        if is_external_module(module):
            return ["external", module.__name__]
        return ["module", self._named(vars(module).items(), f"a global of `{module.__name__}`")]

    def _class(self, kind: type) -> Plain:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if atoms.is_external_class(kind):
            return ["external", name]
        where = f"an attribute of class `{name}`"
        bases = [self.describe(base, where) for base in kind.__bases__]
        return [
            "class",
            name,
            self.describe(type(kind), where),
            bases,
            self._named(atoms.class_members(kind), where),
        ]

    def _builtin(self, function: BuiltinFunctionType, where: str) -> Plain:
        owner = function.__self__
        if owner is None or isinstance(owner, ModuleType):
            if isinstance(owner, ModuleType) and not is_external_module(owner):
                raise OpaqueError(f"{where} is the compiled function `{owner.__name__}.{function.__name__}`")
            return ["external", f"{function.__module__}.{function.__qualname__}"]
        return ["builtin method", function.__name__, self.describe(owner, where)]

    def _instance(self, value: object, where: str) -> Plain:
        serializer = find_serializer(value)
        if serializer is not None:
            try:
                return ["value", serializer.name, digest_bytes(dump_with(serializer, value))]
            except NoSerializerError as error:
                raise OpaqueError(f"{where}: {error}") from error
        state = record_fields(value)
        if state is None:
            state = atoms.own_state(value)
        if state is None:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise OpaqueError(f"{where} is a `{kind}`, whose content cannot be told")
        return ["instance", self.describe(type(value), where), self._named(state.items(), where)]

    def _named(self, items: Iterable[tuple[str, object]], where: str) -> Plain:
        return [
            [name, self.describe(value, f"{where} (`{name}`)")]
            for name, value in sorted(items, key=itemgetter(0))
            if name not in atoms.INTERPRETERS_OWN
        ]


def _digest_alone(value: object, where: str) -> str:
    """Describe a member of a set by itself: sets have no order that holds from process to process."""
    walk = _Walk()
    root = walk.describe(value, where)
    return digest_bytes(msgspec.msgpack.encode([root, walk.definitions]))
