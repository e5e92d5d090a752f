"""The packages a model depends on, and where two environments differ."""

import platform
from collections.abc import Iterable
from importlib import metadata

MODEL_PACKAGES = ("joblib", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl")


def installed_packages(names: Iterable[str] = MODEL_PACKAGES) -> tuple[str, ...]:
    """Return `name==version` of those of `names` that are installed here, sorted."""
    found = []
    for name in names:
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return tuple(sorted(found))


def python_version() -> str:
    return platform.python_version()


def compare_packages(recorded: Iterable[str], present: Iterable[str]) -> tuple[str, ...]:
    """Return in words where packages named on both sides differ, sorted by name.

    Packages named on one side only are passed over: a lock names more than a worker loads.

    >>> compare_packages(["numpy==2.4.5", "rich==15.0.0"], ["numpy==2.4.6"])
    ('numpy was 2.4.5 in training and is 2.4.6 in serving',)
    """
    before, after = _versions(recorded), _versions(present)
    return tuple(
        f"{name} was {before[name]} in training and is {after[name]} in serving"
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    )


def _versions(packages: Iterable[str]) -> dict[str, str]:
    pairs = (package.partition("==") for package in packages)
    return {name.strip().lower().replace("_", "-"): version.strip() for name, _, version in pairs}
