"""Frames between a worker and its parent: two lengths, a MessagePack header, raw float64 values.

Both lengths are big-endian 32-bit numbers; a frame beyond the limits is refused before it is read.
"""

import socket
import struct

import msgspec
import numpy as np
import numpy.typing as npt

from paddock.kernel.digest import Digest
from paddock.models.records import SandboxLevel

MAX_HEADER_BYTES = 65_536
MAX_PAYLOAD_BYTES = 256 * 2**20
LENGTHS = struct.Struct(">II")

Vector = npt.NDArray[np.float64]


class FrameError(Exception):
    """The other side sent what is not a frame, or not the one that is due."""


class Start(msgspec.Struct, frozen=True, tag="start"):
    """What to load. digest: of the package, empty to take the folder's word for it."""

    folder: str
    digest: str
    threads: int
    parent_pid: int
    die_with_parent: bool


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The model is loaded; notes say what of the sandbox is missing."""

    pid: int
    package_digest: Digest
    sandbox_level: SandboxLevel
    notes: tuple[str, ...]
    packages: tuple[str, ...]
    python: str
    load_s: float


class Predict(msgspec.Struct, frozen=True, tag="predict"):
    """The payload is the matrix, row by row."""

    request_id: int
    row_count: int
    column_count: int


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The payload is one value a row."""

    request_id: int
    row_count: int


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """One request (or, with request_id 0, the start) failed; code is the error's, see kernel.errors."""

    request_id: int
    code: str
    message: str


Header = Start | Ready | Predict | Answer | Refusal
_decoder: msgspec.msgpack.Decoder[Header] = msgspec.msgpack.Decoder(Header)


def encode_frame(header: Header, payload: bytes | memoryview = b"") -> list[bytes | memoryview]:
    """Return the parts of a frame, to be sent one after the other."""
    head = msgspec.msgpack.encode(header)
    return (
        [LENGTHS.pack(len(head), len(payload)) + head, payload]
        if len(payload)
        else [LENGTHS.pack(len(head), 0) + head]
    )


def encode_matrix(matrix: Vector) -> memoryview:
    """Return the matrix as little-endian bytes, row by row; no copy when it is laid out so already."""
    return np.ascontiguousarray(matrix, dtype="<f8").reshape(-1).data.cast("B")


def parse_lengths(body: bytes) -> tuple[int, int]:
    """Return header and payload length, or raise FrameError when either is beyond its limit."""
    header, payload = LENGTHS.unpack(body)
    if header > MAX_HEADER_BYTES or payload > MAX_PAYLOAD_BYTES:
        raise FrameError(f"a frame of {header} + {payload} bytes is beyond the limits")
    return header, payload


def parse_header(body: bytes | bytearray | memoryview) -> Header:
    """Return the header, or raise FrameError when it is none."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(f"a frame's header cannot be read: {error}") from error


def parse_answer(header: Answer, payload: bytes | bytearray) -> Vector:
    """Return the answers of a frame, or raise FrameError when their number is wrong."""
    if len(payload) != header.row_count * 8:
        raise FrameError(f"an answer of {header.row_count} rows has {len(payload)} bytes")
    return np.frombuffer(payload, dtype="<f8").astype(np.float64, copy=False)


def check_reply(request: Start | Predict, reply: Header) -> Ready | Answer | Refusal:
    """Return `reply` if it may follow `request`, else raise FrameError."""
    if isinstance(request, Start):
        if isinstance(reply, Ready) or (isinstance(reply, Refusal) and reply.request_id == 0):
            return reply
    elif isinstance(reply, Refusal) and reply.request_id == request.request_id:
        return reply
    elif isinstance(reply, Answer) and reply.request_id == request.request_id:
        if reply.row_count != request.row_count:
            raise FrameError(f"{reply.row_count} answers came for {request.row_count} rows")
        return reply
    raise FrameError(f"a {type(reply).__name__} frame came out of turn")


def send_frame(connection: socket.socket, header: Header, payload: bytes | memoryview = b"") -> None:
    for part in encode_frame(header, payload):
        connection.sendall(part)


def receive_frame(connection: socket.socket) -> tuple[Header, bytearray] | None:
    """Return the next frame, or None when the other side hung up between frames.

    Raises FrameError, or OSError when the connection broke.
    """
    lengths = _receive(connection, LENGTHS.size, may_end=True)
    if not lengths:
        return None
    header_bytes, payload_bytes = parse_lengths(bytes(lengths))
    header = parse_header(_receive(connection, header_bytes))
    return header, _receive(connection, payload_bytes)


def _receive(connection: socket.socket, size: int, *, may_end: bool = False) -> bytearray:
    body = bytearray(size)
    view = memoryview(body)
    filled = 0
    while filled < size:
        count = connection.recv_into(view[filled:])
        if count == 0:
            if may_end and filled == 0:
                return bytearray()
            raise ConnectionResetError(f"the connection ended after {filled} of {size} bytes")
        filled += count
    return body
