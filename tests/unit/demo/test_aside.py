"""Fitting beside the main thread."""

import threading

import pytest

from paddock.demo.aside import run_aside


def test_work_is_done_in_a_thread_that_ends_with_it():
    """What the thread held in libgomp is let go of when it ends."""
    worker = run_aside(threading.current_thread)

    assert worker is not threading.main_thread()
    assert not worker.is_alive()


def test_fault_is_raised_where_the_work_was_asked_for():
    """An error beside the main thread is not lost."""
    with pytest.raises(ZeroDivisionError):
        run_aside(lambda: 1 // 0)
