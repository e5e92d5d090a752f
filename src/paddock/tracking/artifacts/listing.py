"""A folder as a page of entries, from files that are only known by their whole paths.

The files lie in one tree, ordered by path. Behind a subfolder the walk jumps to where its files end, so that
a folder with 100,000 files below costs one look, and reads on in bites as large as the last one was useful.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from paddock.tracking.artifacts.records import ArtifactEntry, ArtifactFile
from paddock.tracking.artifacts.rules import after_folder

# (behind this path, at most so many) -> files by path
FetchFiles: TypeAlias = Callable[[str, int], Sequence[ArtifactFile]]


def walk_folder(fetch: FetchFiles, folder: str, after: str, limit: int) -> tuple[ArtifactEntry, ...]:
    """Return at most `limit` files and folders that lie in `folder` itself, behind the path `after`."""
    prefix = f"{folder}/" if folder else ""
    entries: list[ArtifactEntry] = []
    bite = limit
    while len(entries) < limit:
        wanted = min(bite, limit - len(entries))
        files = fetch(after, wanted)
        known = len(entries)
        for file in files:
            if file.path > after:  # and not below a folder that is listed already
                after, entry = _enter(file, prefix)
                entries.append(entry)
        if len(files) < wanted:
            break
        bite = 2 * (len(entries) - known)
    return tuple(entries)


def entry_of(file: ArtifactFile) -> ArtifactEntry:
    """Return a file as a line of a listing."""
    return ArtifactEntry(file.path, is_folder=False, size_bytes=file.size_bytes, digest=file.digest)


def _enter(file: ArtifactFile, prefix: str) -> tuple[str, ArtifactEntry]:
    """Return what stands for a file in the folder of that prefix, and behind which path to go on."""
    name, slash, _ = file.path[len(prefix) :].partition("/")
    if not slash:
        return file.path, entry_of(file)
    subfolder = prefix + name
    return after_folder(subfolder), ArtifactEntry(subfolder, is_folder=True, size_bytes=0, digest="")
