"""The version of the installed package."""

from functools import cache


@cache
def paddock_version() -> str:
    """Return the version, or `0+checkout` where the package runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("paddock")
    except PackageNotFoundError:
        return "0+checkout"
