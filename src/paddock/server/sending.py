"""Answers onto the wire, with the headers that every answer carries."""

import asyncio
from collections.abc import Mapping

from starlette.types import Send

from paddock.wire import AnyAnswer, FileAnswer, StreamAnswer

_CHUNK_BYTES = 262_144

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def encode_headers(answer: AnyAnswer, length: int | None, request_id: str) -> list[tuple[bytes, bytes]]:
    """Return all headers of `answer`; its own take the place of the common ones.

    length: None where it is not known before. 304 tells nothing of a body: the receiver has it already.
    """
    body = {"Content-Type": answer.media_type}
    if length is not None:
        body["Content-Length"] = str(length)
    headers = {
        **SECURITY_HEADERS,
        **(body if answer.status != 304 else {}),
        "X-Request-Id": request_id,
        **answer.headers,
    }
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def send_answer(send: Send, answer: AnyAnswer, request_id: str, *, is_head: bool = False) -> None:
    """Send `answer`; a temporary file is removed whatever happens. is_head: without its body."""
    if isinstance(answer, FileAnswer):
        await _send_file(send, answer, request_id)
        return
    if isinstance(answer, StreamAnswer):
        await _send_stream(send, answer, request_id, is_head=is_head)
        return
    headers = encode_headers(answer, len(answer.body), request_id)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _send_file(send: Send, answer: FileAnswer, request_id: str) -> None:
    try:
        with answer.path.open("rb") as file:
            left = answer.path.stat().st_size
            headers = encode_headers(answer, left, request_id)
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            while left > 0:
                chunk = await asyncio.to_thread(file.read, min(left, _CHUNK_BYTES))
                if not chunk:
                    raise EOFError(f"{left} bytes are missing from a file that is being sent")
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
            if answer.path.stat().st_size == 0:
                await send({"type": "http.response.body", "body": b""})
    finally:
        if answer.temporary:
            answer.path.unlink(missing_ok=True)


async def _send_stream(send: Send, answer: StreamAnswer, request_id: str, *, is_head: bool) -> None:
    if answer.size_bytes is None:
        await _send_unmeasured(send, answer, request_id, is_head=is_head)
        return
    # the first piece comes before the headers: an object that is not there is still a problem to answer
    left = 0 if is_head else answer.size_bytes
    chunk = await asyncio.to_thread(next, answer.chunks, b"") if left else b""
    headers = encode_headers(answer, answer.size_bytes, request_id)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    while left > 0:
        if not chunk:
            raise EOFError(f"{left} bytes are missing from what is being sent")
        left -= len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
        chunk = await asyncio.to_thread(next, answer.chunks, b"") if left else b""
    if is_head or not answer.size_bytes:
        await send({"type": "http.response.body", "body": b""})


async def _send_unmeasured(send: Send, answer: StreamAnswer, request_id: str, *, is_head: bool) -> None:
    """Send chunks until there are no more, in the coding that lets the receiver see a cut."""
    chunk = b"" if is_head else await asyncio.to_thread(next, answer.chunks, b"")
    headers = encode_headers(answer, None, request_id)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    while chunk:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await asyncio.to_thread(next, answer.chunks, b"")
    await send({"type": "http.response.body", "body": b""})
