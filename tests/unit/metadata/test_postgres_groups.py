"""Which writes are committed together, and what becomes of those whose turn fails."""

import threading
from collections.abc import Sequence

import pytest

from paddock.metadata.postgres_groups import GROUP_CAP, Group, WriteGroups, WriteRequest


def request_of(number: int) -> WriteRequest[int]:
    return WriteRequest(lambda _: number, None, number)


def settle(group: Group) -> None:
    for request in group:
        request.settle(request.received_at, None)


def submit_beside(
    groups: WriteGroups, requests: Sequence[WriteRequest[int]], results: dict[int, object]
) -> list[threading.Thread]:
    """Submit each request in a thread of its own, which keeps what it got."""

    def submit(request: WriteRequest[int]) -> None:
        try:
            results[request.received_at] = groups.submit(request, settle)
        except OSError as error:
            results[request.received_at] = str(error)

    threads = [threading.Thread(target=submit, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    return threads


def wait_until_waiting(groups: WriteGroups, count: int) -> None:
    """Return when that many requests wait for the turn."""
    reached = threading.Event()
    while groups.waiting_count < count:
        reached.wait(0.001)


def test_writes_that_wait_are_committed_together_and_in_order() -> None:
    """What came while another group was committed makes up the next one, up to the cap."""
    groups, sizes, results = WriteGroups(), [], {}
    others = [request_of(number) for number in range(1, GROUP_CAP + 5)]
    threads: list[threading.Thread] = []

    def commit(group: Group) -> None:
        if not sizes:  # the first one: let the others come meanwhile
            threads.extend(submit_beside(groups, others, results))
            wait_until_waiting(groups, len(others))
        sizes.append(len(group))
        settle(group)

    first = groups.submit(request_of(0), commit)
    for thread in threads:
        thread.join()

    assert first == 0
    assert results == {request.received_at: request.received_at for request in others}
    assert groups.waiting_count == 0


def test_error_of_a_commit_goes_to_all_of_its_group() -> None:
    """When a group cannot be committed, each of its writes is told, and later ones go on."""
    groups = WriteGroups()

    def fail(_group: Group) -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        groups.submit(request_of(1), fail)

    assert groups.submit(request_of(2), settle) == 2


def test_interrupt_ends_one_write_and_leaves_the_others() -> None:
    """Ctrl-C in the thread that commits ends its own write; those of others are committed by one of them."""
    groups, results = WriteGroups(), {}
    own, other = request_of(1), request_of(7)
    threads: list[threading.Thread] = []

    def interrupt(group: Group) -> None:
        threads.extend(submit_beside(groups, [other], results))
        wait_until_waiting(groups, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        groups.submit(own, interrupt)
    for thread in threads:
        thread.join(10)

    assert results == {7: 7}
    assert not own.is_done
