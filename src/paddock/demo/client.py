"""The demo's client: flights go to the gateway over HTTP, as any caller would send them."""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import pyarrow as pa

from paddock.demo.flights import CATEGORIES, NUMBERS
from paddock.kernel.clock import format_time
from paddock.kernel.errors import Unavailable

_TRIES = 8
_FIRST_WAIT_S = 0.1


class _Output(msgspec.Struct):
    name: str
    data: list[str | float]


class _Answer(msgspec.Struct):
    outputs: list[_Output]


class GatewayClient:
    """Keeps one connection for each thread; a request that got no answer is sent again.

    Sending again is safe: every row carries an idempotency key.
    """

    def __init__(self, url: Callable[[], str], model: str) -> None:
        self._url = url
        self._model = model
        self._local = threading.local()

    def predict(self, rows: pa.Table) -> list[str]:
        """Return the prediction id of each row."""
        body = self._post(f"/v2/models/{self._model}/infer", encode_request(rows))
        outputs = {output.name: output.data for output in msgspec.json.decode(body, type=_Answer).outputs}
        return [str(value) for value in outputs["paddock.prediction_id"]]

    def send_labels(self, prediction_ids: Sequence[str], labels: Sequence[float], at: datetime) -> None:
        """Send what became true at `at`."""
        when = format_time(at)
        body = {"prediction_id": prediction_ids, "label": labels, "event_time": [when] * len(labels)}
        self._post(f"/v2/models/{self._model}/labels", msgspec.json.encode(body))

    def _post(self, path: str, body: bytes) -> bytes:
        wait_s = _FIRST_WAIT_S
        reason = ""
        for _ in range(_TRIES):
            try:
                status, answer = self._exchange(path, body)
            except (OSError, http.client.HTTPException) as error:
                reason = str(error)
                self._forget()
            else:
                if status == 200:
                    return answer
                reason = answer.decode(errors="replace")
                if status < 500:
                    break
            time.sleep(wait_s)
            wait_s *= 2
        raise Unavailable(f"the gateway did not answer `{path}`: {reason}")

    def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._url().removeprefix("http://"), timeout=60)
            self._local.connection = connection
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()

    def _forget(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def encode_request(rows: pa.Table) -> bytes:
    """Return an Open Inference Protocol v2 request; each row has its key and its event time."""
    shape = [rows.num_rows]
    tensors = [
        {"name": name, "shape": shape, "datatype": "FP64", "data": rows[name].to_pylist()} for name in NUMBERS
    ]
    tensors += [
        {"name": name, "shape": shape, "datatype": "BYTES", "data": rows[name].to_pylist()}
        for name in CATEGORIES
    ]
    times = [format_time(moment) for moment in rows["event_time"].to_pylist()]
    for name, data in (("paddock.idempotency_key", rows["key"].to_pylist()), ("paddock.event_time", times)):
        tensors.append({"name": name, "shape": shape, "datatype": "BYTES", "data": data})
    return msgspec.json.encode({"inputs": tensors})
