"""uvicorn's protocol with the limits it lacks: time to send a request, size of its head, time to leave."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOO_SLOW = "paddock.too_slow"

_MOST_HEAD_BYTES = 65_536
_MOMENT_S = 1.0


class GuardedProtocol(HttpToolsProtocol):
    """A request that does not arrive whole in time is given up.

    Within its head the connection is closed. Within its body the application is told by `TOO_SLOW` in
    the scope's state, so that it can say 408. A request that comes in one piece costs no timer.

    When the server stops, an idle connection is closed at once and an answer at work is waited for. A
    client that does not send the rest of its request, or does not read its answer, is given a moment.
    """

    request_timeout_s = 30.0
    _timer: asyncio.TimerHandle | None = None
    _is_whole = False
    _is_in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_whole:
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_HEAD_BYTES:
                self.transport.close()
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._is_whole = False
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_whole = True
        self._stop_timer()
        super().on_message_complete()

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(_MOMENT_S, self._leave, self.transport.get_write_buffer_size())

    def _leave(self, unread_bytes: int) -> None:
        """Let go of a client that keeps a stopping server waiting; unread_bytes: those of a moment ago."""
        if self not in self.connections:
            return
        still_unread = self.transport.get_write_buffer_size()
        if still_unread and still_unread >= unread_bytes > 0:
            self.transport.abort()
            return
        if not self._is_whole and not self._is_in_head:
            self._give_up()
        self.loop.call_later(_MOMENT_S, self._leave, still_unread)

    def _start_timer(self) -> None:
        if self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self.request_timeout_s, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._is_in_head or self.cycle.response_complete:
            self.transport.close()
            return
        self.scope["state"][TOO_SLOW] = True
        self.cycle.keep_alive = False
        self.cycle.more_body = False
        self.cycle.message_event.set()


def guarded_protocol(request_timeout_s: float) -> type[GuardedProtocol]:
    """Return the protocol class with this limit; uvicorn makes one instance per connection."""
    return type("GuardedProtocol", (GuardedProtocol,), {"request_timeout_s": request_timeout_s})
