"""Messages between a template and its parent: one MessagePack packet each, with descriptors beside it."""

import os
import socket
from collections.abc import Sequence

import msgspec

from paddock.models.worker.protocol import FrameError

_PACKET_BYTES = 4096
_MOST_DESCRIPTORS = 2


class Fork(msgspec.Struct, frozen=True, tag="fork"):
    """Fork a worker; beside it the worker's end of its socketpair, then of its stderr."""


class Forked(msgspec.Struct, frozen=True, tag="forked"):
    """The worker runs; beside it its pidfd."""

    pid: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """No worker was forked."""

    reason: str


class Reap(msgspec.Struct, frozen=True, tag="reap"):
    """Take the exit status of a worker that has ended. Until then its pid stays its own."""

    pid: int


class Reaped(msgspec.Struct, frozen=True, tag="reaped"):
    """status: as of `subprocess`, negative for a signal."""

    status: int


Message = Fork | Forked | Refused | Reap | Reaped
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def send_message(control: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    socket.send_fds(control, [msgspec.msgpack.encode(message)], list(descriptors))


def receive_message(control: socket.socket) -> tuple[Message, list[int]] | None:
    """Return the next message and its descriptors, not inherited by programs; None when hung up.

    Raises FrameError for what is no message or has lost descriptors, OSError when the connection broke.
    """
    body, descriptors, flags, _ = socket.recv_fds(control, _PACKET_BYTES, _MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if not body:
        return None
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(descriptors)
        raise FrameError("a message came incomplete")
    try:
        return _decoder.decode(body), descriptors
    except msgspec.DecodeError as error:
        close_all(descriptors)
        raise FrameError(f"a message cannot be read: {error}") from error


def check_answer(message: Message, answer: Message, handle_count: int) -> None:
    """Raise FrameError when `answer` with that many descriptors may not follow `message`.

    >>> check_answer(Fork(), Refused("it runs 2 threads"), 0)
    """
    if isinstance(message, Fork):
        is_due = isinstance(answer, Forked if handle_count else Refused)
    else:
        is_due = isinstance(answer, Reaped) and handle_count == 0
    if not is_due or handle_count > 1:
        words = f"a {type(answer).__name__} message with {handle_count} descriptors"
        raise FrameError(f"{words} came after a {type(message).__name__}")


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
