"""Request bodies: read within a size and a time, into memory or into a file of our own."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from starlette.types import Receive

from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import StorageFull
from paddock.kernel.refusals import BodyTooLarge, RequestTooSlow
from paddock.server.limits import ServerLimits

Write = Callable[[bytes], int]

_FLUSH_BYTES = 1_048_576
_DRAIN_BYTES = 16_777_216
_DRAIN_S = 2.0
_PREFIX = "paddock-upload-"
_STALE_S = 86_400  # an upload that is still coming was written to since


class ClientGone(Exception):  # not an error for a person: nobody is left to read it
    """The connection ended before the body did."""


async def read_body(receive: Receive, most_bytes: int, timeout_s: float) -> bytes:
    """Return the whole body; BodyTooLarge or RequestTooSlow when it does not keep to the bounds."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in _chunks(receive):
                size += len(chunk)
                if size > most_bytes:
                    raise BodyTooLarge(f"the body has more than {most_bytes} bytes")
                chunks.append(chunk)
    except TimeoutError as error:
        raise RequestTooSlow(f"the body did not arrive within {timeout_s:g} s") from error
    return b"".join(chunks)


async def receive_file(receive: Receive, limits: ServerLimits) -> Path:
    """Return a new file, readable by its owner only, that holds the body; the caller removes it."""
    await asyncio.to_thread(_reap_once)
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            await _copy(receive, file.write, limits)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StorageFull(f"the upload cannot be kept: {error.strerror}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def drain(receive: Receive) -> bool:
    """Read and drop what is left of a refused body, so that the client gets to read the answer.

    Returns whether the body ended; with more than 16 MB or 2 s left the connection has to be closed.
    """
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for chunk in _chunks(receive):
                left -= len(chunk)
                if left < 0:
                    return False
    except (TimeoutError, ClientGone):
        return False
    return True


@cache
def _reap_once() -> None:
    """Remove what killed servers have left of uploads, once in the life of this process."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is another user's, or its server has just removed it
            if time.time() - path.lstat().st_mtime > _STALE_S:
                path.unlink()


async def _copy(receive: Receive, write: Write, limits: ServerLimits) -> None:
    started = monotonic_s()
    size = 0
    waiting = bytearray()
    chunks = _chunks(receive)
    while True:
        allowed_s = limits.request_timeout_s + size / limits.min_upload_bytes_per_s
        try:
            async with asyncio.timeout(max(started + allowed_s - monotonic_s(), 0.0)):
                chunk = await anext(chunks, b"")
        except TimeoutError as error:
            rate = limits.min_upload_bytes_per_s
            raise RequestTooSlow(f"the upload is slower than {rate} bytes a second") from error
        size += len(chunk)
        if size > limits.max_upload_bytes:
            raise BodyTooLarge(f"the upload has more than {limits.max_upload_bytes} bytes")
        waiting += chunk
        if waiting and (not chunk or len(waiting) >= _FLUSH_BYTES):
            await asyncio.to_thread(write, bytes(waiting))
            waiting.clear()
        if not chunk:
            return


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the body without empty chunks."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return
