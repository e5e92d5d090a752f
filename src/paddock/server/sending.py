"""Answers onto the wire, with the headers that every answer carries."""

import asyncio
from collections.abc import Mapping

from starlette.types import Send

from paddock.wire import Answer, FileAnswer

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


def encode_headers(answer: Answer | FileAnswer, length: int, request_id: str) -> list[tuple[bytes, bytes]]:
    """Return all headers of `answer`; its own take the place of the common ones."""
    headers = {
        **SECURITY_HEADERS,
        "Content-Type": answer.media_type,
        "Content-Length": str(length),
        "X-Request-Id": request_id,
        **answer.headers,
    }
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def send_answer(send: Send, answer: Answer | FileAnswer, request_id: str) -> None:
    """Send `answer`; a temporary file is removed whatever happens."""
    if isinstance(answer, FileAnswer):
        await _send_file(send, answer, request_id)
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
