"""One request from its first header to its last byte, as plain ASGI.

Order: request id, guard (Host, path, origin), router, permission, query, body, handler in a thread,
answer. Whatever goes wrong on the way becomes one problem that carries the request id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send

from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import PaddockError
from paddock.kernel.ids import new_id
from paddock.kernel.names import check_name
from paddock.kernel.refs import Actor, ProjectId
from paddock.server.body import ClientGone, drain, read_body, receive_file
from paddock.server.guard import (
    SAFE_METHODS,
    Head,
    check_body_type,
    check_form_origin,
    check_head,
    check_length,
    read_key,
    read_query,
)
from paddock.server.limits import ServerLimits
from paddock.server.metrics import ServerMetrics
from paddock.server.pool import HandlerPool
from paddock.server.sending import send_answer
from paddock.wire import (
    Answer,
    AnyAnswer,
    BodyKind,
    Call,
    Permission,
    RouteSpec,
    answer_problem,
    check_permission,
    decode_form,
    decode_json,
    describe_problem,
    describe_unexpected,
)
from paddock.wire.structs import Problem

log = logging.getLogger("paddock.server")

RenderProblem = Callable[[Problem, Head], Answer]

_HANDED_ON = ("accept", "host", "if-none-match", "if-range", "range")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What all requests share. actor: in whose name requests act; granted: what it may do."""

    limits: ServerLimits
    pool: HandlerPool
    metrics: ServerMetrics
    actor: Actor
    granted: Collection[Permission]

    async def serve(self, spec: RouteSpec, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a routed request; errors are raised, not rendered."""
        head = read_head(scope)
        check_permission(spec.permission, self.granted)
        query = (
            {} if spec.decode else read_query(head.query, spec.query, self.limits.query_fields, spec.lists)
        )
        body, upload = await self._receive(spec, head, receive)
        try:
            call = Call(
                path=scope["path_params"],
                query=query,
                actor=_actor_of(self.actor, head),
                request_id=scope["paddock.request_id"],
                key="" if head.method in SAFE_METHODS else read_key(head),
                upload=upload,
                headers=_handed_on(head),
            )
            timeout_s = self.limits.work_timeout_s(is_upload=upload is not None, is_slow=spec.is_slow)
            answer = await self.pool.run(
                lambda: _handle(spec, call, head.query, body, self.limits), timeout_s
            )
        finally:
            if upload is not None:
                await asyncio.to_thread(upload.unlink, missing_ok=True)
        await send_answer(send, answer, scope["paddock.request_id"], is_head=head.method == "HEAD")

    async def _receive(self, spec: RouteSpec, head: Head, receive: Receive) -> tuple[bytes, Path | None]:
        limits = self.limits
        if spec.body is BodyKind.FILE:
            if not spec.takes_any_type:
                check_body_type(head, spec.body)
            check_length(head, limits.max_upload_bytes)
            return b"", await receive_file(receive, limits)
        length = check_length(head, limits.json.max_bytes)
        if spec.body is BodyKind.FORM:
            check_form_origin(head)
            check_body_type(head, spec.body)
        # MLflow's clients send a DELETE or PATCH without a body as one without a type
        is_bare = length == 0 and spec.decode is not None and head.method not in ("POST", "PUT")
        if spec.body is BodyKind.JSON and not is_bare:
            check_body_type(head, spec.body)
        if length == 0:
            return b"", None
        return await read_body(receive, limits.json.max_bytes, limits.request_timeout_s), None


def render_for_programs(problem: Problem, _: Head) -> Answer:
    """Return `problem` as problem+json, whoever asks."""
    return answer_problem(problem)


class Application:
    """The outermost ASGI application. render: how a problem looks to who has sent this head."""

    def __init__(
        self, exchange: Exchange, router: Router, render: RenderProblem = render_for_programs
    ) -> None:
        self._exchange = exchange
        self._router = router
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # uvicorn runs without lifespan and without websockets
        scope["paddock.request_id"] = new_id()
        watch = _Watch(receive, send)
        started = monotonic_s()
        try:
            check_head(read_head(scope), self._exchange.limits)
            await self._router(scope, watch.receive, watch.send)
        except ClientGone:
            watch.status = 499  # counted as such, answered to nobody
        except PaddockError as error:
            await self._refuse(error, scope, watch)
        except Exception:  # noqa: BLE001  the face: a fault of ours is logged and answered, never shown
            await self._report(scope, watch)
        spec: RouteSpec | None = scope.get("paddock.route")
        method, route = (spec.method, spec.path) if spec else ("other", "none")
        self._exchange.metrics.count(method, route, watch.status, monotonic_s() - started)

    async def _refuse(self, error: PaddockError, scope: Scope, watch: _Watch) -> None:
        request_id = scope["paddock.request_id"]
        if error.http_status >= 500:
            fields = {"request_id": request_id, "code": error.code, "reason": error.message}
            log.warning("request.failed", extra=fields)
        await self._send(describe_problem(error, request_id), scope, watch)

    async def _report(self, scope: Scope, watch: _Watch) -> None:
        request_id = scope["paddock.request_id"]
        fields = {"request_id": request_id, "method": scope["method"][:20]}
        log.exception("request.crashed", extra=fields)
        if watch.status:
            raise ConnectionAbortedError(
                "the answer had begun; the connection is cut so that it is not taken whole"
            )
        await self._send(describe_unexpected(request_id), scope, watch)

    async def _send(self, problem: Problem, scope: Scope, watch: _Watch) -> None:
        if watch.status:
            log.warning("answer.cut", extra={"request_id": problem.request_id})
            raise ConnectionAbortedError("the answer had begun")
        head = read_head(scope)
        answer = self._render(problem, head)
        if not await _is_read(head, watch):
            answer = replace(answer, headers={**answer.headers, "Connection": "close"})
        await send_answer(watch.send, answer, problem.request_id)


class _Watch:
    """Remembers how far the request was read and the answer was sent."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.is_read = False
        self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def read_head(scope: Scope) -> Head:
    """Return the request line and headers of an ASGI scope."""
    return Head(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])


def _handle(spec: RouteSpec, call: Call, query: bytes, body: bytes, limits: ServerLimits) -> AnyAnswer:
    if spec.decode is not None:
        decoded = spec.decode(query, body, limits.json)
    elif spec.request is not None and spec.body is BodyKind.FORM:
        decoded = decode_form(body, spec.request)
    elif spec.request is not None:
        decoded = decode_json(body or b"{}", spec.request, limits.json)
    else:
        return spec.handler(call)
    return spec.handler(
        Call(call.path, call.query, call.actor, call.request_id, call.key, decoded, None, call.headers)
    )


def _actor_of(actor: Actor, head: Head) -> Actor:
    project = head.only(b"paddock-project") or head.only(b"x-mlflow-workspace")
    if not project:
        return actor
    return Actor(ProjectId(check_name("project", project)), actor.principal)


def _handed_on(head: Head) -> Mapping[str, str]:
    found = {name: head.values(name.encode()) for name in _HANDED_ON}
    return {name: ", ".join(values) for name, values in found.items() if values}


async def _is_read(head: Head, watch: _Watch) -> bool:
    """Read what is left of the body; False when it cannot be waited for and the connection must close."""
    has_body = head.values(b"transfer-encoding") or head.values(b"content-length") not in ([], ["0"])
    if not has_body or watch.is_read:
        return True
    return not head.values(b"expect") and await drain(watch.receive)
