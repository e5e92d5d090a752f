"""A folder is listed as if the files lay in real folders, in few looks."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.digest import digest_bytes
from paddock.tracking.artifacts import ArtifactFile, Owner
from paddock.tracking.artifacts.listing import walk_folder

_NAMES = st.text("ab-.0", min_size=1, max_size=2).filter(lambda name: name[-1] != ".")
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_APRIL = datetime(2013, 4, 1, tzinfo=UTC)


class Shelf:
    """Files by path, and how many were taken out."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = sorted(set(paths))
        self.taken = 0

    def fetch(self, after: str, most: int) -> list[ArtifactFile]:
        found = [path for path in self.paths if path > after][:most]
        self.taken += len(found)
        return [ArtifactFile(Owner(""), path, digest_bytes(b""), 1, "ann", _APRIL) for path in found]


def without_clashes(paths: Sequence[str]) -> list[str]:
    """Return paths of which none is a folder of another one."""
    return [path for path in paths if not any(other.startswith(f"{path}/") for other in paths)]


@given(st.lists(_PATHS, max_size=60).map(without_clashes), st.integers(1, 9))
def test_listing_is_that_of_a_file_system(paths: list[str], limit: int):
    """Page by page come each file and each folder once, in the order of their bytes."""
    shelf = Shelf(paths)
    found: list[tuple[str, bool]] = []
    after = ""
    while True:
        page = walk_folder(shelf.fetch, "", after, limit)
        found += [(entry.path, entry.is_folder) for entry in page]
        if len(page) < limit:
            break
        after = f"{page[-1].path}/\U0010ffff" if page[-1].is_folder else page[-1].path

    expected = {(path.partition("/")[0], "/" in path) for path in paths}
    assert found == sorted(expected, key=lambda entry: entry[0] + "/" * entry[1])


def test_large_folders_are_jumped_over():
    """A page of folders with a thousand files each takes out some files, not all."""
    shelf = Shelf([f"d{folder:02}/f{file:04}" for folder in range(50) for file in range(1000)])

    page = walk_folder(shelf.fetch, "", "", 20)

    assert [entry.path for entry in page] == [f"d{folder:02}" for folder in range(20)]
    assert shelf.taken < 100


def test_folder_of_files_is_read_once():
    """A page of files takes out these files."""
    shelf = Shelf([f"a/f{file:04}" for file in range(1000)])

    assert len(walk_folder(lambda after, most: shelf.fetch(after or "a/", most), "a", "", 500)) == 500
    assert shelf.taken == 500
