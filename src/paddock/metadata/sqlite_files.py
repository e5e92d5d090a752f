"""The folder and files of a SQLite store: private, and on a disk of this machine."""

import errno
import os
from pathlib import Path

from paddock.kernel.errors import AlreadyExists, Forbidden, InvalidInput, StorageFull

_FULL_CODES = (errno.ENOSPC, errno.EDQUOT)
_REFUSED_CODES = (errno.EACCES, errno.EPERM, errno.EROFS)
# their locks do not hold between machines, and SQLite then damages the file
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "fuse.sshfs", "fuse.s3fs"})


def prepare_file(path: Path) -> None:
    """Make the folder (0700) and an empty database file (0600) where there is none.

    An existing file is not even opened: closing it would drop the locks that SQLite holds on it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_network(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not path.is_file():
            raise InvalidInput(f"`{path}` is in the way: the store needs a file there") from None
    except NotADirectoryError as error:
        raise InvalidInput(f"`{path.parent}` is not a folder") from error
    except OSError as error:
        if error.errno in _FULL_CODES:
            raise no_space(path) from error
        if error.errno in _REFUSED_CODES:
            raise Forbidden(f"the store `{path}` cannot be opened or made: {error.strerror}") from error
        raise


def is_read_only(path: Path) -> bool:
    """Tell whether the database `path` is there, but this process may not write it or files beside it."""
    is_there = os.access(path, os.F_OK)
    return is_there and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def refuse_write(path: Path) -> Forbidden:
    return Forbidden(
        f"the store `{path.parent}` is read-only: this process may not write there",
        hint="--store FOLDER names another",
    )


def wal_bytes(path: Path) -> int:
    """Return the bytes of the write-ahead log beside the database `path`, 0 for none."""
    wal = path.with_name(path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def refuse_network(folder: Path) -> None:
    """Raise InvalidInput when `folder` lies on a network filesystem, as far as Linux tells."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return
    kind = find_filesystem(folder.resolve(), mounts.read_text(encoding="utf-8", errors="replace"))
    if kind in _NETWORK:
        raise InvalidInput(
            f"the store folder `{folder}` lies on a network filesystem ({kind}), where SQLite loses data",
            hint="use a local folder, or a store at postgresql://...",
        )


def find_filesystem(folder: Path, mounts: str) -> str:
    r"""Return the type of the filesystem that holds `folder`, given the text of /proc/self/mounts.

    >>> find_filesystem(Path("/srv/data"), "/dev/vda / ext4 rw 0 0\nhost:/x /srv nfs4 rw 0 0\n")
    'nfs4'
    """
    kind, longest = "", -1
    for line in mounts.splitlines():
        words = line.split(" ")
        point = Path(words[1].replace("\\040", " "))
        if folder.is_relative_to(point) and len(point.parts) >= longest:
            kind, longest = words[2], len(point.parts)
    return kind


def publish_file(partial: Path, target: Path) -> None:
    """Give a finished file its name: bytes to disk, then the name, which must be free (AlreadyExists)."""
    sync_path(partial)
    try:
        os.link(partial, target)  # a rename would replace what is there
    except FileExistsError as error:
        raise AlreadyExists(f"there is a file `{target}` already") from error
    partial.unlink()
    sync_path(target.parent)


def sync_path(path: Path) -> None:
    """Flush a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def no_space(path: Path) -> StorageFull:
    return StorageFull(f"no space is left for `{path}`", hint="free some space and try again")
