"""One server for a store and one loop for a project: who comes second is told who was first."""

import os
import threading
from pathlib import Path

import pytest

from paddock.app import claim_loop, claim_server
from paddock.kernel.errors import InvalidSettings, StoreInUse
from paddock.kernel.settings import Settings, resolve_settings

URL = "http://127.0.0.1:8321"


def settings_of(store: Path | str, project: str = "default") -> Settings:
    return resolve_settings({"store": str(store), "project": project}, {}, {})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path / "store")


def test_second_server_is_told_store_process_and_address(settings: Settings):
    """The refusal names what is taken, by whom and where, and what to do about it."""
    with claim_server(settings) as claim:
        claim.announce(URL)

        with pytest.raises(StoreInUse) as refused, claim_server(settings):
            pass

    store, pid = settings.text("store"), os.getpid()
    assert refused.value.message == f"the store `{store}` is served by process {pid} at {URL} already"
    assert refused.value.hint == f"use {URL}, or end it first: kill {pid}"
    assert refused.value.details == {"pid": str(pid), "url": URL}


def test_server_that_has_no_address_yet_is_named_by_its_process(settings: Settings):
    """While the first one is starting its address is left out."""
    with claim_server(settings), pytest.raises(StoreInUse) as refused, claim_server(settings):
        pass

    assert refused.value.message.endswith(f"is served by process {os.getpid()} already")
    assert refused.value.hint == f"end it first: kill {os.getpid()}"


def test_claim_ends_with_its_block(settings: Settings, tmp_path: Path):
    """The next one may have the place, and nothing is left in the folder."""
    for _ in range(2):
        with claim_server(settings) as claim:
            claim.announce(URL)

    assert list((tmp_path / "store").iterdir()) == []


def test_file_that_a_killed_server_has_left_claims_nothing(settings: Settings, tmp_path: Path):
    """The lock is what counts, and it has ended with its process."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "server.lock").write_text(f"1 {URL}/with/a/longer/address\n")

    with claim_server(settings) as claim:
        claim.announce(URL)

        assert (tmp_path / "store" / "server.lock").read_text() == f"{os.getpid()} {URL}\n"


def test_server_and_loops_of_several_projects_stand_side_by_side(tmp_path: Path):
    """Only a second loop of the same project is refused, and told which one it is."""
    one, two = settings_of(tmp_path, "flights"), settings_of(tmp_path, "trains")
    with claim_server(one), claim_loop(one) as claim, claim_loop(two):
        claim.announce(URL)

        with pytest.raises(StoreInUse, match=f"loop of project `flights` in the store .* at {URL}"):
            claim_loop(one).__enter__()


def test_store_in_a_database_is_not_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Several servers may share a database, and no folder is made for a claim."""
    monkeypatch.chdir(tmp_path)
    settings = settings_of("postgresql://nowhere/paddock")

    with claim_server(settings) as first, claim_server(settings), claim_loop(settings), claim_loop(settings):
        first.announce(URL)

    assert list(tmp_path.iterdir()) == []


def test_store_that_is_a_file_cannot_be_claimed(tmp_path: Path):
    """It is told as when the store is opened."""
    (tmp_path / "store").write_text("")

    with pytest.raises(InvalidSettings, match="is a file"), claim_server(settings_of(tmp_path / "store")):
        pass


def test_never_two_at_a_time(settings: Settings):
    """However claims and their ends meet, one thread at most is inside, and each comes in at last."""
    inside = threading.Lock()
    faults: list[str] = []

    def take(times: int) -> None:
        done = 0
        while done < times:
            try:
                with claim_server(settings):
                    if not inside.acquire(blocking=False):
                        faults.append("two at a time")
                        return
                    inside.release()
                    done += 1
            except StoreInUse:
                os.sched_yield()

    threads = [threading.Thread(target=take, args=(100,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
