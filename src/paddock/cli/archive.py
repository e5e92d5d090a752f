"""A backup in one file: an uncompressed tar, read by rules of our own.

Python's extraction filters have been got around several times; here nothing is extracted but regular
files whose names a backup has, each one once, into a folder that was empty.
"""

import re
import shutil
import tarfile
from pathlib import Path

from paddock.kernel.errors import AlreadyExists, IntegrityError, NotFound, UnreadableFile

_SEGMENT = re.compile(r"[A-Za-z0-9_][\w.@-]{0,254}", re.ASCII)
_DEEPEST = 8


def pack_folder(folder: Path, target: Path) -> None:
    """Write the files of `folder` to the new file `target`."""
    if target.exists():
        raise AlreadyExists(f"`{target}` exists already", hint="give another name")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with tarfile.open(partial, "w") as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def unpack_archive(source: Path, folder: Path) -> None:
    """Lay the files of a backup into the empty `folder`; anything else in it is IntegrityError."""
    if not source.is_file():
        raise NotFound(f"there is no backup `{source}`")
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                _unpack(archive, member, folder)
    except (tarfile.TarError, EOFError) as error:
        raise UnreadableFile(f"`{source.name}` is no backup, or cut off: {error}") from error


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    body = archive.extractfile(member) if member.isreg() and _is_plain(member.name) else None
    path = folder / member.name
    if body is None or path.exists():
        raise IntegrityError(f"`{member.name[:200]}` does not belong into a backup")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(body, file)


def _is_plain(name: str) -> bool:
    segments = name.split("/")
    return len(segments) <= _DEEPEST and all(_SEGMENT.fullmatch(segment) for segment in segments)
