"""A process that writes to a store and says on stdout which writes were acknowledged.

    metadata_writer.py URL NAME THREADS COUNT

Each acknowledged write is one line `NAME-THREAD-NUMBER`, written after `write` has returned. COUNT is per
thread; 0 means without end. Started by tests, which may kill it.
"""

import os
import sys
import threading

from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Metadata, NewEvent, Once, open_metadata


def write_events(store: Metadata, name: str, count: int) -> None:
    number = 0
    while number < count or not count:
        subject = f"{name}-{number}"
        event = NewEvent(DEFAULT_PROJECT, name, "drill.written", subject, SystemClock().now(), {"n": number})
        # a row beside the event: both or neither must be there
        store.write(lambda tx, event=event: tx.append_event(event), once=Once(subject, "d", type(None)))
        os.write(1, f"{subject}\n".encode())  # one system call: a killed process leaves whole lines
        number += 1


def main(url: str, name: str, threads: int, count: int) -> None:
    store = open_metadata(url, clock=SystemClock(), busy_timeout_s=60)
    workers = [
        threading.Thread(target=write_events, args=(store, f"{name}-{thread}", count))
        for thread in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
