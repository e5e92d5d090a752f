"""The routes of a gateway, as one ASGI application."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from struct import pack
from time import perf_counter
from typing import cast

from msgspec import UNSET
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from paddock.kernel.errors import InvalidRows, LimitExceeded, NotFound, PaddockError, QueueFull
from paddock.kernel.ids import new_id, parse_id
from paddock.kernel.refusals import (
    MethodNotAllowed,
    NoModel,
    RouteNotFound,
)
from paddock.prediction_log import LabelRecord
from paddock.serving.gateway.asgi import (
    Answer,
    Body,
    Receive,
    Scope,
    Send,
    answer_error,
    answer_json,
    answer_text,
    check_headers,
    parse_hosts,
    send_answer,
)
from paddock.serving.gateway.live import LiveConfig
from paddock.serving.gateway.messages import (
    AnswerTensor,
    InferAnswer,
    InferRequest,
    LabelAnswer,
    LabelRequest,
    RequestedOutput,
    decode_infer,
    decode_labels,
)
from paddock.serving.gateway.parts import GatewayParts
from paddock.serving.gateway.rows import MODEL_VERSION, PREDICTION_ID, check_request, parse_time
from paddock.serving.gateway.scoring import Answered
from paddock.serving.gateway.status import describe_model, describe_server, describe_status

_LOG = logging.getLogger(__name__)
_MODELS = "/v2/models/"
_Handler = Callable[[Body], Awaitable[Answer]]


class GatewayApp:
    """Raw ASGI: nothing stands between the server and the hot path but `check_headers`."""

    def __init__(self, parts: GatewayParts) -> None:
        self.is_draining = False
        self._parts = parts
        self._hosts = parse_hosts(parts.options.allowed_hosts)
        self._in_flight = 0
        self._plain: dict[str, Callable[[], Answer]] = {
            "/health": lambda: answer_text("OK"),
            "/v2": lambda: answer_json(describe_server()),
            "/v2/health/live": lambda: answer_json({"live": True}),
            "/v2/health/ready": lambda: answer_json({"ready": self.is_ready}, 200 if self.is_ready else 503),
            "/status": lambda: answer_json(
                describe_status(parts, is_ready=self.is_ready, in_flight=self._in_flight)
            ),
            "/metrics": lambda: Answer(200, parts.metrics.render(), CONTENT_TYPE_LATEST.encode()),
        }

    @property
    def is_ready(self) -> bool:
        live = self._parts.served.current
        return not self.is_draining and live is not None and live.champion.is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway speaks HTTP, not {scope['type']}")
        try:
            check_headers(cast(Sequence[tuple[bytes, bytes]], scope["headers"]), self._hosts)
            path = cast(bytes, scope["raw_path"]).decode("ascii", "replace")
            answer = await self._find(cast(str, scope["method"]), path)(Body(scope, receive))
        except PaddockError as error:
            answer = answer_error(error, new_id())
        except Exception:  # noqa: BLE001  a face answers whatever happens, and says no more than it must
            request_id = new_id()
            _LOG.exception("request.failed", extra={"request_id": request_id})
            answer = answer_error(PaddockError("the gateway failed on this request"), request_id)
        await send_answer(send, answer)

    def _find(self, method: str, path: str) -> _Handler:
        """Return who answers; raises RouteNotFound, MethodNotAllowed or NotFound."""
        if path.startswith(_MODELS):
            model, _, rest = path[len(_MODELS) :].partition("/")
            handler: _Handler
            if rest == "infer":
                expected, handler = "POST", self._infer
            elif rest == "labels":
                expected, handler = "POST", self._label
            else:
                expected, handler = "GET", self._describe(path, rest)
            self._check_model(model)
        elif path in self._plain:
            expected, handler = "GET", _plainly(self._plain[path])
        else:
            raise RouteNotFound(f"there is nothing at `{path[:80]}`", hint="GET /v2")
        if method != expected and not (expected == "GET" and method == "HEAD"):
            raise MethodNotAllowed(f"`{path[:80]}` takes {expected}, not {method}", allow=expected)
        return handler

    def _check_model(self, name: str) -> None:
        live = self._parts.served.current
        if live is not None and live.config.model != name:
            raise NotFound(f"model `{name[:80]}` is not served here; `{live.config.model}` is")

    def _describe(self, path: str, rest: str) -> _Handler:
        """Handle `[versions/{v}][/ready]`."""
        parts = rest.split("/") if rest else []
        wants_ready = bool(parts) and parts[-1] == "ready"
        if wants_ready:
            parts.pop()
        if parts and (len(parts) != 2 or parts[0] != "versions" or not parts[1].isdecimal()):
            raise RouteNotFound(f"there is nothing at `{path[:80]}`", hint="GET /v2")
        version = int(parts[1][:9]) if parts else 0

        def describe() -> Answer:
            live = self._live()
            if version and version not in live.runners:
                raise NotFound(f"version {version} of `{live.config.model}` is not served here")
            if wants_ready:
                ready = live.runners[version].is_ready if version else self.is_ready
                return answer_json({"name": live.config.model, "ready": ready}, 200 if ready else 503)
            return answer_json(describe_model(live, version))

        return _plainly(describe)

    async def _infer(self, body: Body) -> Answer:
        parts = self._parts
        started = perf_counter()
        model = version = ""
        try:
            live = self._live()
            model = live.config.model
            request = decode_infer(await body.read(parts.options.max_body_bytes))
            rows = check_request(request, most_rows=parts.options.max_batch_rows, now=parts.now())
            self._in_flight += 1
            live.acquire()
            try:
                if self._in_flight > parts.options.max_in_flight:
                    raise QueueFull(f"{parts.options.max_in_flight} requests are at work already")
                answered = await parts.scorer.answer(live, rows)
            finally:
                live.release()
                self._in_flight -= 1
            message = _compose(live, request, answered)
            version = message.model_version
        except PaddockError as error:
            parts.metrics.count_request(model, version, error.http_status)
            raise
        parts.metrics.count_request(model, version, 200)
        parts.metrics.observe_latency(perf_counter() - started)
        return answer_json(message)

    async def _label(self, body: Body) -> Answer:
        self._live()
        request = decode_labels(await body.read(self._parts.options.max_body_bytes))
        record = _check_labels(request, now=self._parts.now(), most=self._parts.options.max_batch_rows)
        await self._parts.labels.append(record)
        return answer_json(LabelAnswer(accepted=record.row_count))

    def _live(self) -> LiveConfig:
        live = self._parts.served.current
        if live is None:
            reason = self._parts.watcher.status.refusal
            raise NoModel(f"no model is loaded{f': {reason}' if reason else ' yet'}", hint="GET /status")
        return live


def _plainly(describe: Callable[[], Answer]) -> _Handler:
    async def answer(_: Body) -> Answer:
        return describe()

    return answer


def _compose(live: LiveConfig, request: InferRequest, answered: Answered) -> InferAnswer:
    shape = (len(answered.versions),)
    versions = [str(version) for version in answered.versions]
    outputs = [
        AnswerTensor(live.champion.manifest.signature.output.name, shape, "FP64", answered.predictions),
        AnswerTensor(PREDICTION_ID, shape, "BYTES", [one.hex() for one in answered.prediction_ids]),
        AnswerTensor(MODEL_VERSION, shape, "BYTES", versions),
    ]
    if request.outputs is not UNSET:
        outputs = _select(outputs, request.outputs)
    version = versions[0] if versions.count(versions[0]) == len(versions) else "mixed"
    return InferAnswer(live.config.model, version, outputs, request.id)


def _select(outputs: Sequence[AnswerTensor], wanted: Sequence[RequestedOutput]) -> list[AnswerTensor]:
    by_name = {tensor.name: tensor for tensor in outputs}
    return [by_name[one.name] for one in wanted if one.name in by_name]


def _check_labels(request: LabelRequest, *, now: int, most: int) -> LabelRecord:
    """Turn a label request into a record. Raises InvalidRows naming rows, LimitExceeded."""
    count = len(request.prediction_id)
    if count > most:
        raise LimitExceeded(f"the request has {count} labels; at most {most} are taken at once")
    times = request.event_time or [""] * count
    if not count or {len(request.label), len(times)} != {count}:
        raise InvalidRows(
            "`prediction_id`, `label` and `event_time` must have the same number of rows, at least one"
        )
    try:
        ids = b"".join([bytes.fromhex(parse_id(one)) for one in request.prediction_id])
        moments = [parse_time(one) if one else now for one in times]
    except ValueError as error:
        raise InvalidRows(f"column `event_time` must hold RFC 3339 times with an offset: {error}") from error
    return LabelRecord(now, ids, pack(f"<{count}d", *request.label), pack(f"<{count}q", *moments))
