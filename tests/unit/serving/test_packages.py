"""Which packages are removed from a state folder, and when nothing is."""

from pathlib import Path

import pytest

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import NotFound, StoreInUse
from paddock.serving import EndpointConfig, GatewayState, Route, publish
from paddock.serving.packages import lock_packages, prune_packages
from paddock.serving.state import write_config

A, B, C = (digest_bytes(name) for name in (b"a", b"b", b"c"))


def config_of(generation: int, *digests: str) -> EndpointConfig:
    packages = dict(enumerate(digests, start=1))
    return EndpointConfig("e", generation, "m", "salt", (Route(1, 1.0),), packages)


@pytest.fixture
def state(tmp_path: Path) -> GatewayState:
    """A folder with packages A, B and C, that serves A."""
    found = GatewayState(tmp_path / "state")
    for digest in (A, B, C):
        found.package_folder(digest).mkdir(parents=True)
        (found.package_folder(digest) / "manifest.json").write_bytes(b"{}")
    write_config(found.config_path, config_of(1, A))
    write_config(found.last_good_path, config_of(1, A))
    return found


def left(state: GatewayState) -> set[str]:
    return {path.name for path in state.packages_folder.iterdir()}


def test_packages_of_no_config_are_removed(state):
    """What the one config names stays, all other packages go, and they are told."""
    assert set(prune_packages(state, config_of(1, A))) == {B, C}
    assert left(state) == {A}


def test_nothing_is_removed_while_configs_differ(state):
    """While another config is to be loaded, or was the last good one, every package stays."""
    write_config(state.config_path, config_of(2, B))
    assert prune_packages(state, config_of(1, A)) == ()
    assert prune_packages(state, config_of(2, B)) == ()

    write_config(state.last_good_path, config_of(2, B))
    assert prune_packages(state, config_of(1, A)) == ()
    assert left(state) == {A, B, C}


def test_nothing_is_removed_without_a_config(state):
    """A folder without `config.json` keeps its packages."""
    state.config_path.unlink()

    with pytest.raises(NotFound):
        prune_packages(state, config_of(1, A))

    assert left(state) == {A, B, C}


def test_nothing_is_removed_while_somebody_publishes(state):
    """Packages laid out for a config that is not written yet are not taken for unnamed ones."""
    with lock_packages(state, 0.0), pytest.raises(StoreInUse, match="another process changes the packages"):
        prune_packages(state, config_of(1, A))

    assert left(state) == {A, B, C}


def test_publishing_waits_for_no_longer_than_it_says(state):
    """A lock that is not let go of is an error, not a wait without end."""
    with lock_packages(state, 0.0), pytest.raises(StoreInUse), lock_packages(state, 0.05):
        pass


def test_removal_that_was_cut_short_is_finished(state):
    """A package that was renamed and lost a part of its files is no package any more, and goes next time."""
    half = state.package_folder(B).rename(state.packages_folder / f".pruned-{B}")
    (half / "manifest.json").unlink()
    (half / "model.skops").write_bytes(b"half")

    assert set(prune_packages(state, config_of(1, A))) == {C}
    assert left(state) == {A}


def test_what_is_no_package_is_left_alone(state, tmp_path):
    """Foreign files, folders and links in the folder of packages are not touched."""
    (state.packages_folder / "notes.txt").write_text("mine")
    (state.packages_folder / "folder").mkdir()
    linked = digest_bytes(b"linked")
    (state.packages_folder / linked).symlink_to(tmp_path)

    prune_packages(state, config_of(1, A))

    assert left(state) == {A, "notes.txt", "folder", linked}


def test_unchanged_config_is_published_without_asking_the_store(state):
    """Publishing what is published already needs no objects, also under the lock."""
    publish(state, config_of(1, A), NoObjects())

    assert left(state) == {A, B, C}


class NoObjects:
    """A store nobody may ask."""

    def put(self, body):
        raise AssertionError

    def get(self, digest):
        raise AssertionError
