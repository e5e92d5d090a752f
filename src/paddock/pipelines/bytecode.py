"""Code objects in a form that changes with what the code does, not with how it is written down.

Taken from the compiled code, which is what runs: the file on disk may have been edited since it was
imported. Positions, comments, formatting and docstrings leave no trace.
"""

import dis
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from types import CodeType
from typing import cast

import msgspec

from paddock.kernel.digest import digest_bytes

_HAS_CONST = frozenset(dis.hasconst)
_HAS_NAME = frozenset(dis.hasname)
_EXTENDED_ARG = dis.EXTENDED_ARG
_CACHE = dis.opmap.get("CACHE", 0)
_HAS_DOCSTRING = 0x4000000
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """argument: a whole number, the name it stands for, or the constant. kind: global, attribute, ..."""

    code: int
    kind: str
    argument: object


def read_instructions(code: CodeType) -> Iterator[Instruction]:
    """Yield the instructions with names and constants in place of their indices.

    >>> [i.argument for i in read_instructions((lambda: LIMIT).__code__) if i.kind == "global"]
    ['LIMIT']
    """
    raw = code.co_code
    extended = 0
    for offset in range(0, len(raw), 2):
        opcode, argument = raw[offset], raw[offset + 1] | extended
        if opcode == _EXTENDED_ARG:
            extended = argument << 8
            continue
        extended = 0
        if opcode == _CACHE:
            continue
        if opcode in _HAS_CONST:
            yield Instruction(opcode, "constant", code.co_consts[argument])
        elif opcode in _HAS_NAME:
            yield _named(code, opcode, argument)
        else:
            yield Instruction(opcode, "other", argument)


@dataclass(frozen=True, slots=True)
class Use:
    """Something a code takes from outside itself.

    A global (`is_import` False) with the attributes taken from it at once, or an import in the body with the
    names taken from the module; level: leading dots of a relative import.
    """

    name: str
    chain: tuple[str, ...] = ()
    is_import: bool = False
    level: int = 0


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """digest: of `describe_code`; uses: in the order of the code, each once."""

    digest: str
    uses: tuple[Use, ...]


@lru_cache(maxsize=8192)
def analyze_code(code: CodeType) -> CodeFacts:
    """Return the digest of a code and all that it and the codes written in it take from outside."""
    found: dict[Use, None] = {}
    for part in nested_code(code):
        for use in _uses(list(read_instructions(part))):
            found[use] = None
    return CodeFacts(digest_bytes(msgspec.msgpack.encode(describe_code(code))), tuple(found))


def nested_code(code: CodeType) -> Iterator[CodeType]:
    """Yield the code and that of every function, class body and comprehension written in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested_code(constant)


def describe_code(code: CodeType) -> list[object]:
    """Return the code as nested lists of plain values; two codes are described alike if they do the same.

    >>> def one(x):
    ...     "First."
    ...     return x + 1
    >>> def two(x):
    ...     return x + 1  # second
    >>> describe_code(one.__code__) == describe_code(two.__code__)
    True
    """
    return [
        "code",
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~_HAS_DOCSTRING,
        list(code.co_varnames),
        list(code.co_freevars),
        list(code.co_cellvars),
        code.co_exceptiontable.hex(),
        [[step.code, _describe_argument(step)] for step in read_instructions(code)],
    ]


def _named(code: CodeType, opcode: int, argument: int) -> Instruction:
    name = dis.opname[opcode]
    if name == "LOAD_GLOBAL":
        # the lowest bit says whether a NULL is pushed for a call (3.11 and later)
        return Instruction(opcode, "global", code.co_names[argument >> 1])
    if name in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
        return Instruction(opcode, "global", code.co_names[argument])
    if name in _ATTRIBUTES:
        is_shifted = name == "LOAD_ATTR" and "LOAD_METHOD" not in dis.opmap  # 3.12 merged the two
        return Instruction(opcode, "attribute", code.co_names[argument >> 1 if is_shifted else argument])
    if name == "LOAD_SUPER_ATTR":
        return Instruction(opcode, "name", code.co_names[argument >> 2])
    kind = {"IMPORT_NAME": "import", "IMPORT_FROM": "import from"}.get(name, "name")
    return Instruction(opcode, kind, code.co_names[argument])


def _uses(steps: list[Instruction]) -> Iterator[Use]:
    for position, step in enumerate(steps):
        if step.kind == "global":
            chain = takewhile(lambda later: later.kind == "attribute", steps[position + 1 :])
            yield Use(cast(str, step.argument), tuple(cast(str, later.argument) for later in chain))
        elif step.kind == "import":
            # the two constants before it are the level and the names after `from ... import`
            level, names = (before.argument for before in steps[position - 2 : position])
            taken = cast("tuple[str, ...] | None", names) or ()
            yield Use(cast(str, step.argument), taken, is_import=True, level=cast(int, level))


def _describe_argument(step: Instruction) -> object:
    if step.kind != "constant":
        return step.argument
    return describe_constant(step.argument)


def describe_constant(value: object) -> object:
    """Return a constant of the compiler (the closed set of types it folds to) as plain values."""
    if isinstance(value, CodeType):
        return describe_code(value)
    if isinstance(value, tuple):
        return ["tuple", *(describe_constant(item) for item in value)]
    if isinstance(value, frozenset):
        return ["frozenset", *sorted(repr(describe_constant(item)) for item in value)]
    return [type(value).__name__, repr(value)]
