"""The template's own side: import the libraries once, then fork a worker whenever the parent asks.

Started by `WorkerTemplate` as `python -I`, with the number of its control socket as the only argument.
It opens no model and starts no thread: whatever it held, every worker would hold as well.
"""

import gc
import os
import socket

from paddock.models.worker import __main__ as worker
from paddock.models.worker.control import (
    Fork,
    Forked,
    Reap,
    Reaped,
    Refused,
    close_all,
    receive_message,
    send_message,
)
from paddock.models.worker.protocol import FrameError


def main(descriptor: int) -> int:
    """Serve the control socket `descriptor`, and in each fork a worker's; returns the exit status."""
    worker.import_libraries("matrix")
    gc.collect()
    gc.freeze()  # a collection that writes into what was imported would end the sharing of its pages
    with socket.socket(fileno=descriptor) as control:
        try:
            ends = _serve(control)
        except ConnectionError:  # the parent died between question and answer
            return 0
    if not ends:
        return 0
    return worker.main(_settle_in(*ends))


def _serve(control: socket.socket) -> list[int]:
    """Answer until the parent hangs up; returns the worker's descriptors in a fork, none in the template."""
    while True:
        received = receive_message(control)
        if received is None:
            return []
        message, ends = received
        if isinstance(message, Fork):
            if _fork(control):
                return ends
            close_all(ends)  # the worker has copies; while one is open here, its end would go unnoticed
        elif isinstance(message, Reap):
            _, status = os.waitpid(message.pid, 0)
            send_message(control, Reaped(os.waitstatus_to_exitcode(status)))
        else:
            raise FrameError(f"a {type(message).__name__} message came unasked")


def _fork(control: socket.socket) -> bool:
    """Fork and report it to the parent; returns whether this is the fork."""
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208  names only
    if threads != 1:
        # a lock that another thread holds at this moment would stay locked in the fork for ever
        send_message(control, Refused(f"it runs {threads} threads"))
        return False
    try:
        pid = os.fork()
    except OSError as error:
        send_message(control, Refused(str(error)))
        return False
    if pid == 0:
        return True
    handle = os.pidfd_open(pid)
    try:
        send_message(control, Forked(pid), (handle,))
    finally:
        os.close(handle)
    return False


def _settle_in(connection: int, stderr: int) -> int:
    """Take on what a started worker has: a session, a stderr, one connection and nothing else open."""
    os.setsid()
    os.dup2(stderr, 2)
    os.closerange(3, connection)
    os.closerange(connection + 1, os.sysconf("SC_OPEN_MAX"))
    return connection
