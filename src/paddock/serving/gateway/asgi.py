"""The few ASGI calls the gateway needs, without a framework between the socket and the model."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import NamedTuple, cast

import msgspec

from paddock.kernel.errors import Detail, LimitExceeded, PaddockError, Unavailable
from paddock.kernel.refusals import (
    HeadersTooLarge,
    MethodNotAllowed,
    MisdirectedRequest,
    RequestRefused,
    RequestTooSlow,
    UnsupportedBody,
)
from paddock.serving.gateway.protocol import TOO_SLOW

Message = MutableMapping[str, object]
Scope = Mapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_MOST_HEADERS, _MOST_HEADER_BYTES = 100, 32_768


class Problem(msgspec.Struct):
    """An error as RFC 9457 has it; `errors` are the single faults, `facts` are for programs."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    request_id: str
    errors: tuple[str, ...]
    facts: dict[str, Detail]


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


def answer_json(value: object, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value))


def answer_text(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), b"text/plain; charset=utf-8")


def answer_error(error: PaddockError, request_id: str) -> Answer:
    problem = Problem(
        type=f"urn:paddock:error:{error.code}",
        title=HTTPStatus(error.http_status).phrase,
        status=error.http_status,
        code=error.code,
        detail=error.message,
        hint=error.hint,
        request_id=request_id,
        errors=error.problems,
        facts=dict(error.details),
    )
    headers: tuple[tuple[bytes, bytes], ...] = ((b"x-request-id", request_id.encode()),)
    if isinstance(error, Unavailable):
        headers += ((b"retry-after", b"1"),)
    if isinstance(error, MethodNotAllowed):
        headers += ((b"allow", str(error.details["allow"]).encode()),)
    return Answer(error.http_status, msgspec.json.encode(problem), b"application/problem+json", headers)


async def send_answer(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


class Body(NamedTuple):
    """The body of a request, not read yet."""

    scope: Scope
    receive: Receive

    async def read(self, most_bytes: int) -> bytes:
        """Return the whole body. Raises LimitExceeded as soon as it is too large, RequestTooSlow."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise RequestRefused("the client left before the request was whole")
            part = cast(bytes, message.get("body", b""))
            size += len(part)
            if size > most_bytes:
                raise LimitExceeded(f"the body is larger than {most_bytes} bytes")
            if not message.get("more_body"):
                break
            parts.append(part)
        if TOO_SLOW in cast(Mapping[str, object], self.scope["state"]):
            raise RequestTooSlow("the request did not arrive whole in time")
        return b"".join([*parts, part]) if parts else part


def check_headers(headers: Iterable[tuple[bytes, bytes]], hosts: frozenset[bytes]) -> None:
    """Refuse a request before it is routed: a foreign Host, an encoded body, oversized headers."""
    host: bytes | None = None
    count = size = 0
    for name, value in headers:
        count += 1
        size += len(name) + len(value)
        if name == b"host":
            if host is not None:
                raise MisdirectedRequest("the request has two Host headers")
            host = value
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise UnsupportedBody(
                f"a body encoded as `{value[:20].decode('latin-1')}` is not taken; send it plain"
            )
    if count > _MOST_HEADERS or size > _MOST_HEADER_BYTES:
        raise HeadersTooLarge(f"the headers have {size} bytes in {count} fields, which is too much")
    if host is None or _without_port(host.lower()) not in hosts:
        raise MisdirectedRequest("the Host of the request is not one of this gateway")


def parse_hosts(text: str) -> frozenset[bytes]:
    return frozenset(name.strip().lower().encode() for name in text.split(",") if name.strip())


def _without_port(host: bytes) -> bytes:
    if host.startswith(b"["):
        return host.partition(b"]")[0] + b"]"
    return host.partition(b":")[0]
