"""Whose code a file is: the user's own, or of the standard library, an installed distribution or Paddock."""

import sys
import sysconfig
from functools import lru_cache
from pathlib import Path, PurePath
from types import ModuleType

from paddock.kernel.digest import digest_bytes

PADDOCK = Path(__file__).parents[1]
_PLACES = ("stdlib", "platstdlib", "purelib", "platlib")


@lru_cache(maxsize=8192)
def is_external_file(filename: str) -> bool:
    """Say whether code of this file is pinned by what Python, the packages and Paddock are.

    Code without a file (a notebook cell, `exec`) is the user's own; an editable install is, too, but for one
    of Paddock: `paddock_sources_digest` stands for that.

    >>> is_external_file("<frozen importlib._bootstrap>"), is_external_file("<ipython-input-1>")
    (True, False)
    """
    if filename.startswith("<"):
        return filename.startswith("<frozen ")
    path = PurePath(filename)
    return _is_installed(path) or path.is_relative_to(PADDOCK)


def is_external_module(module: ModuleType) -> bool:
    """Say whether a module is of the standard library, of an installed distribution or of Paddock."""
    filename = getattr(module, "__file__", None)
    if filename:
        return is_external_file(filename)
    folders = list(getattr(module, "__path__", ()))
    if folders:  # a namespace package
        return is_external_file(str(PurePath(folders[0]) / "__init__.py"))
    return module.__name__.partition(".")[0] in sys.stdlib_module_names and module.__name__ != "__main__"


def paddock_sources_digest(folder: Path = PADDOCK) -> str:
    """Return what tells the code of Paddock itself where the list of packages does not.

    Empty for an installed Paddock, which its version tells. A checkout or an editable install changes without
    one, so there it is the address of all source files in `folder`.
    """
    if _is_installed(folder):
        return ""
    files = sorted(folder.rglob("*.py"))
    lines = [f"{path.relative_to(folder).as_posix()} {digest_bytes(path.read_bytes())}" for path in files]
    return digest_bytes("\n".join(lines).encode())


def _is_installed(path: PurePath) -> bool:
    if {"site-packages", "dist-packages"}.intersection(path.parts):
        return True
    return any(path.is_relative_to(place) for place in _interpreter_folders())


@lru_cache(maxsize=1)
def _interpreter_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[place] for place in _PLACES if place in paths})
