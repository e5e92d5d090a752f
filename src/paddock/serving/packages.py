"""The packages in a state folder: added by whoever publishes, removed when no config names them.

Both happen under one lock, so what is laid out for a config that is not written yet is never removed.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import StoreInUse
from paddock.serving.records import EndpointConfig
from paddock.serving.state import GatewayState, read_config

_POLL_S = 0.02
_ASIDE = ".pruned-"
_DIGEST = re.compile("[0-9a-f]{64}")


@contextmanager
def lock_packages(state: GatewayState, timeout_s: float) -> Iterator[None]:
    """Keep all others from adding and removing packages; the lock ends with its process at the latest.

    Raises StoreInUse when another one has not let go within `timeout_s`; 0 asks once.
    """
    state.folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state.packages_lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = monotonic_s() + timeout_s
        while not _try_lock(descriptor):
            if monotonic_s() >= deadline:
                raise StoreInUse(
                    f"another process changes the packages in `{state.folder}`", hint="try again in a moment"
                )
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def prune_packages(state: GatewayState, served: EndpointConfig) -> tuple[str, ...]:
    """Remove the packages that `served` does not name; return their digests.

    Nothing is removed unless `config.json` and `last-good.json` both are `served`: another config may
    need what this one does not. A package is renamed before its files go, so that none is ever found
    with some of them. Raises StoreInUse while somebody publishes, NotFound or InvalidInput without two
    readable configs, OSError.
    """
    with lock_packages(state, 0.0):
        if not served == read_config(state.config_path) == read_config(state.last_good_path):
            return ()
        for left_over in state.packages_folder.glob(f"{_ASIDE}*"):
            shutil.rmtree(left_over)
        named = frozenset(served.packages.values())
        unnamed = [folder for folder in _package_folders(state) if folder.name not in named]
        for folder in unnamed:
            shutil.rmtree(folder.rename(folder.with_name(f"{_ASIDE}{folder.name}")))
        return tuple(folder.name for folder in unnamed)


def _package_folders(state: GatewayState) -> list[Path]:
    return sorted(
        path
        for path in state.packages_folder.iterdir()
        if _DIGEST.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
