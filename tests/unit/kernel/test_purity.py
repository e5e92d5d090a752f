"""Who keeps results hears of work whose result must not be kept, from wherever it is done."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from paddock.kernel.purity import note_impure, watch_purity


def test_nothing_was_said_of_pure_work():
    """Work that says nothing may be kept; what is said outside of any watch reaches none later."""
    note_impure("it wrote before")

    with watch_purity() as watch:
        pass
    note_impure("it wrote after")

    assert watch.impurity == ""


def test_first_reason_counts():
    """A second reason does not replace the first."""
    with watch_purity() as watch:
        note_impure("it wrote")
        note_impure("it asked")

    assert watch.impurity == "it wrote"


def test_outer_work_hears_what_inner_work_does():
    """A result made with the help of an impure one is impure, and the other way round it is not."""
    with watch_purity() as outer:
        with watch_purity() as inner:
            note_impure("it wrote")
        with watch_purity() as pure:
            pass

    assert (outer.impurity, inner.impurity, pure.impurity) == ("it wrote", "it wrote", "")


def test_work_side_by_side_is_told_apart():
    """Two threads with a watch each, both open at the same time: each hears its own."""
    both_open = threading.Barrier(2, timeout=30)

    def work(reason: str) -> str:
        with watch_purity() as watch:
            both_open.wait()
            note_impure(reason)
            both_open.wait()
            return watch.impurity

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, ["one", "two"])) == ["one", "two"]


def test_thread_that_the_work_starts_is_heard():
    """A thread knows no watch of its own, and what it does is heard all the same."""
    with watch_purity() as watch, ThreadPoolExecutor(1) as pool:
        pool.submit(note_impure, "it wrote in a thread").result()

    assert watch.impurity == "it wrote in a thread"


def test_watch_ends_with_its_block():
    """A block that raises closes its watch, too: later threads are not heard by it."""
    with pytest.raises(KeyError), watch_purity() as watch:
        raise KeyError
    thread = threading.Thread(target=note_impure, args=("it wrote",))
    thread.start()
    thread.join()

    assert watch.impurity == ""
