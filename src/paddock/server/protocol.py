"""uvicorn's HTTP/1.1 protocol with bounds on the head of a request, and problems for what it cannot read.

The parser itself (llhttp) refuses bodies framed twice, bare line feeds, folded headers and bad
chunks. What is missing there: a limit on the size and the time of a head, and on connections.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from paddock.kernel.errors import PaddockError
from paddock.kernel.ids import new_id
from paddock.kernel.refusals import HeadersTooLarge, RequestTooSlow, ServerBusy
from paddock.server.limits import ServerLimits
from paddock.server.sending import encode_headers
from paddock.wire import Answer, RequestRefused, answer_problem, describe_problem


def bounded_protocol(limits: ServerLimits) -> type[HttpToolsProtocol]:
    """Return the protocol class for `limits`."""
    return type("BoundedProtocol", (_BoundedProtocol,), {"limits": limits})


class _BoundedProtocol(HttpToolsProtocol):
    limits: ClassVar[ServerLimits]

    _is_reading_head = False
    _has_begun = False
    _has_cycle = False
    _head_bytes = 0
    _refusal: PaddockError | None = None
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._start_head_timer()
        if len(self.connections) > self.limits.connections:
            self._refuse(ServerBusy(f"{self.limits.connections} connections are open; try again"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._is_reading_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes and not self.transport.is_closing():
                self._refuse(self._too_large())

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's signature
        """Answer what the parser, or one of the checks below, has stopped at."""
        self._refuse(self._refusal or RequestRefused("the bytes received are no HTTP/1.1 request"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_reading_head = self._has_begun = True
        self._head_bytes = 0
        self._start_head_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_reading_head:
            return  # a trailer, which must not add to headers that were checked already
        super().on_header(name, value)
        if len(self.headers) > self.limits.head_fields:
            self._stop(HeadersTooLarge(f"the request has more than {self.limits.head_fields} headers"))

    def on_headers_complete(self) -> None:
        self._is_reading_head = False
        self._stop_head_timer()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.head_bytes or len(self.url) > self.limits.url_bytes:
            self._stop(self._too_large())
        if not self.url.startswith(b"/") or b"#" in self.url:
            self._stop(RequestRefused("the request names no path; proxies and fragments are not served"))
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            self._stop(RequestRefused("only HTTP/1.0 and HTTP/1.1 are spoken here"))
        super().on_headers_complete()
        self._has_cycle = True

    def _stop(self, error: PaddockError) -> None:
        """End the parsing; uvicorn then asks for `send_400_response`."""
        self._refusal = error
        raise error

    def _too_large(self) -> HeadersTooLarge:
        limits = self.limits
        return HeadersTooLarge(
            f"the request line and headers may take {limits.head_bytes} bytes, the address {limits.url_bytes}"
        )

    def _refuse(self, error: PaddockError) -> None:
        """Answer without the application and close. An answer that has begun is only cut off."""
        self._stop_head_timer()
        if self._has_cycle and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
        request_id = new_id()
        self.transport.write(_encode(answer_problem(describe_problem(error, request_id)), request_id))
        self.transport.close()

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_timeout_s, self._on_slow_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_slow_head(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._has_begun:
            self._refuse(
                RequestTooSlow(f"the headers did not arrive within {self.limits.head_timeout_s:g} s")
            )
        else:
            self.transport.close()


def _encode(answer: Answer, request_id: str) -> bytes:
    headers = encode_headers(answer, len(answer.body), request_id)
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([STATUS_LINE[answer.status], *lines, b"connection: close\r\n\r\n", answer.body])
