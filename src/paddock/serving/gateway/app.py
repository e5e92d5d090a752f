"""The routes of a gateway, as one ASGI application."""

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter
from typing import cast

from msgspec import UNSET
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from paddock.kernel.errors import NotFound, PaddockError, QueueFull
from paddock.kernel.ids import new_id
from paddock.kernel.refusals import MethodNotAllowed, NoModel, RouteNotFound
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
from paddock.serving.gateway.labels import check_labels
from paddock.serving.gateway.live import LiveConfig
from paddock.serving.gateway.messages import (
    AnswerTensor,
    InferAnswer,
    InferRequest,
    LabelAnswer,
    RequestedOutput,
    check_outputs,
    decode_index,
    decode_infer,
    decode_labels,
)
from paddock.serving.gateway.parts import GatewayParts
from paddock.serving.gateway.rows import MODEL_VERSION, PREDICTION_ID, check_request
from paddock.serving.gateway.scoring import Answered
from paddock.serving.gateway.status import describe_index, describe_model, describe_server, describe_status

_LOG = logging.getLogger(__name__)
_MODELS = "/v2/models/"
_OF_MODEL = re.compile(r"(?:versions/([1-9][0-9]{0,8})(?:/(?=[ir])|\Z))?(ready|infer|labels)?")
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
            expected, handler = self._find_of_model(path)
        elif path in self._plain:
            expected, handler = "GET", _plainly(self._plain[path])
        elif path == "/v2/repository/index":
            expected, handler = "POST", self._index
        else:
            raise _nothing_at(path)
        if method != expected and not (expected == "GET" and method == "HEAD"):
            raise MethodNotAllowed(f"`{path[:80]}` takes {expected}, not {method}", allow=expected)
        return handler

    def _find_of_model(self, path: str) -> tuple[str, _Handler]:
        """Return method and handler of `{model}[/versions/{version}][/{verb}]`."""
        model, _, rest = path[len(_MODELS) :].partition("/")
        target = _OF_MODEL.fullmatch(rest)
        if target is None:
            raise _nothing_at(path)
        live = self._parts.served.current
        if live is not None and live.config.model != model:
            raise NotFound(f"model `{model[:80]}` is not served here; `{live.config.model}` is")
        version, verb = int(target[1] or 0), target[2]
        if verb == "infer":
            return "POST", partial(self._infer, version)
        if verb == "labels":
            return "POST", self._label
        return "GET", _plainly(partial(self._tell_ready if verb else self._describe, version))

    def _describe(self, version: int) -> Answer:
        return answer_json(describe_model(self._live(), version))

    def _tell_ready(self, version: int) -> Answer:
        live = self._live()
        is_ready = live.find(version).is_ready if version else self.is_ready
        return answer_json({"name": live.config.model, "ready": is_ready}, 200 if is_ready else 503)

    async def _index(self, body: Body) -> Answer:
        request = decode_index(await body.read(self._parts.options.max_body_bytes))
        return answer_json(describe_index(self._parts.served.current, only_ready=request.ready))

    async def _infer(self, version: int, body: Body) -> Answer:
        """Answer by one version, 0 meaning as the config splits the traffic."""
        parts = self._parts
        started = perf_counter()
        model = answered_by = ""
        try:
            live = self._live()
            model = live.config.model
            output = live.find(version).manifest.signature.output
            request = decode_infer(await body.read(parts.options.max_body_bytes))
            check_outputs(request, (output.name, PREDICTION_ID, MODEL_VERSION))
            rows = check_request(request, most_rows=parts.options.max_batch_rows, now=parts.now())
            self._in_flight += 1
            live.acquire()
            try:
                if self._in_flight > parts.options.max_in_flight:
                    raise QueueFull(f"{parts.options.max_in_flight} requests are at work already")
                answered = await parts.scorer.answer(live, rows, version)
            finally:
                live.release()
                self._in_flight -= 1
            message = _compose(live.config.model, output.name, request, answered)
            answered_by = message.model_version
        except PaddockError as error:
            parts.metrics.count_request(model, answered_by, error.http_status)
            raise
        parts.metrics.count_request(model, answered_by, 200)
        parts.metrics.observe_latency(perf_counter() - started)
        return answer_json(message)

    async def _label(self, body: Body) -> Answer:
        self._live()
        parts = self._parts
        request = decode_labels(await body.read(parts.options.max_body_bytes))
        record = check_labels(request, most_rows=parts.options.max_batch_rows, now=parts.now())
        await parts.labels.append(record)
        return answer_json(LabelAnswer(accepted=record.row_count))

    def _live(self) -> LiveConfig:
        live = self._parts.served.current
        if live is None:
            reason = self._parts.watcher.status.refusal
            raise NoModel(f"no model is loaded{f': {reason}' if reason else ' yet'}", hint="GET /status")
        return live


def _nothing_at(path: str) -> RouteNotFound:
    return RouteNotFound(f"there is nothing at `{path[:80]}`", hint="GET /v2")


def _plainly(describe: Callable[[], Answer]) -> _Handler:
    async def answer(_: Body) -> Answer:
        return describe()

    return answer


def _compose(model: str, output: str, request: InferRequest, answered: Answered) -> InferAnswer:
    shape = (len(answered.versions),)
    versions = [str(version) for version in answered.versions]
    outputs = [
        AnswerTensor(output, shape, "FP64", answered.predictions),
        AnswerTensor(PREDICTION_ID, shape, "BYTES", [one.hex() for one in answered.prediction_ids]),
        AnswerTensor(MODEL_VERSION, shape, "BYTES", versions),
    ]
    if request.outputs is not UNSET:
        outputs = _select(outputs, request.outputs)
    version = versions[0] if versions.count(versions[0]) == len(versions) else "mixed"
    return InferAnswer(model, version, outputs, request.id)


def _select(outputs: Sequence[AnswerTensor], wanted: Sequence[RequestedOutput]) -> list[AnswerTensor]:
    by_name = {tensor.name: tensor for tensor in outputs}
    return [by_name[one.name] for one in wanted]
