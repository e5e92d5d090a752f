"""Whose code a file is: the user's own, or of the standard library or an installed distribution."""

import sys
import sysconfig
from functools import lru_cache
from pathlib import PurePath
from types import ModuleType

_PLACES = ("stdlib", "platstdlib", "purelib", "platlib")


@lru_cache(maxsize=8192)
def is_external_file(filename: str) -> bool:
    """Say whether code of this file is pinned by Python's version or by the list of packages.

    Code without a file (a notebook cell, `exec`) is the user's own; an editable install is, too.

    >>> is_external_file("<frozen importlib._bootstrap>"), is_external_file("<ipython-input-1>")
    (True, False)
    """
    if filename.startswith("<"):
        return filename.startswith("<frozen ")
    path = PurePath(filename)
    if {"site-packages", "dist-packages"}.intersection(path.parts):
        return True
    return any(path.is_relative_to(place) for place in _interpreter_folders())


def is_external_module(module: ModuleType) -> bool:
    """Say whether a module is of the standard library or of an installed distribution."""
    filename = getattr(module, "__file__", None)
    if filename:
        return is_external_file(filename)
    folders = list(getattr(module, "__path__", ()))
    if folders:  # a namespace package
        return is_external_file(str(PurePath(folders[0]) / "__init__.py"))
    return module.__name__.partition(".")[0] in sys.stdlib_module_names and module.__name__ != "__main__"


@lru_cache(maxsize=1)
def _interpreter_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[place] for place in _PLACES if place in paths})
