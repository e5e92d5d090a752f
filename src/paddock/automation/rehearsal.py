"""How fast a candidate answers, measured before its gate on a gateway of its own: no caller is near it."""

import http.client
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from paddock.automation.rehearsal_folders import rehearsal_folder
from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import InvalidInput, Unavailable, WorkerFailed
from paddock.models import PackageObjects
from paddock.prediction_log import Scalar
from paddock.registry import ModelVersion
from paddock.serving import EndpointConfig, GatewayOptions, GatewayState, Route, publish, start_gateway

MOST_REQUESTS = 300
WARM_UP = 30
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """requests: how many were measured, one row each; latency_p99_ms: the slowest of the fastest 99 %."""

    requests: int
    latency_p99_ms: float


def rehearse(
    candidate: ModelVersion,
    rows: pa.Table,
    objects: PackageObjects,
    *,
    options: GatewayOptions | None = None,
) -> Rehearsal:
    """Measure how fast a gateway answers single rows by `candidate`, as its callers would see it.

    The gateway is a process of its own that serves nothing else, with its worker and its log on disk. Up
    to 300 rows, spread evenly, are sent one after the other on one kept connection, after 30 to warm up.
    options: how the endpoint's own gateway is run; the other one has an address and a folder of its own,
    inside of that one's, so that it writes to the same disk. Both are gone when this returns.
    Raises VerificationFailed when the gateway refuses the package, InvalidInput when it refuses a row,
    WorkerFailed when it has no answer to one, Unavailable when it is not ready in time.
    """
    if not rows.num_rows:
        raise InvalidInput("there is no row to measure latency on")
    with rehearsal_folder(options.state if options and options.state.is_dir() else None) as folder:
        state = GatewayState(folder)
        publish(state, _config_of(candidate), objects)
        with start_gateway(_own_options(options, state.folder)) as gateway:
            gateway.wait_ready(_TIMEOUT_S, generation=1)
            address = gateway.url.removeprefix("http://")
            with closing(http.client.HTTPConnection(address, timeout=_TIMEOUT_S)) as connection:
                took_ms = _measure(_Caller(connection, candidate.name), rows)
    return Rehearsal(len(took_ms), nearest_rank(took_ms, 0.99))


def nearest_rank(values: Sequence[float], share: float) -> float:
    """Return the smallest of `values` that at least `share` of them do not exceed.

    >>> nearest_rank([3.0, 1.0, 2.0, 4.0], 0.75), nearest_rank([5.0], 0.99)
    (3.0, 5.0)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _config_of(candidate: ModelVersion) -> EndpointConfig:
    return EndpointConfig(
        endpoint="rehearsal",
        generation=1,
        model=candidate.name,
        salt="rehearsal",
        routes=(Route(candidate.version, 1.0),),
        packages={candidate.version: candidate.package_digest},
    )


def _own_options(options: GatewayOptions | None, state: Path) -> GatewayOptions:
    given = options or GatewayOptions(state=state)
    return msgspec.structs.replace(
        given,
        state=state,
        host="127.0.0.1",
        port=0,
        allowed_hosts=GatewayOptions(state=state).allowed_hosts,
        drain_grace_s=0.0,
    )


def _measure(caller: "_Caller", rows: pa.Table) -> list[float]:
    """Return the milliseconds each request took."""
    count = min(rows.num_rows, MOST_REQUESTS)
    places = [place * rows.num_rows // count for place in range(count)]
    sample = rows.take(places)
    bodies = caller.encode(sample)
    for place in range(WARM_UP):
        caller.infer(bodies[place % count])
    return [_time_ms(caller, body) for body in bodies]


def _time_ms(caller: "_Caller", body: bytes) -> float:
    began_s = monotonic_s()
    caller.infer(body)
    return (monotonic_s() - began_s) * 1000.0


class _Input(msgspec.Struct):
    name: str
    datatype: str


class _Description(msgspec.Struct):
    inputs: tuple[_Input, ...]


class _Problem(msgspec.Struct):
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Caller:
    """Open Inference Protocol on one connection, which stays open from request to request."""

    connection: http.client.HTTPConnection
    model: str

    def encode(self, rows: pa.Table) -> list[bytes]:
        """Return the request of each row, with the columns that the model takes and the rows have."""
        description = msgspec.json.decode(self._ask("GET", f"/v2/models/{self.model}"), type=_Description)
        known = [one for one in description.inputs if one.name in rows.column_names]
        return [
            msgspec.json.encode(
                {
                    "inputs": [
                        {"name": one.name, "shape": [1], "datatype": one.datatype, "data": [_value(one, row)]}
                        for one in known
                    ]
                }
            )
            for row in rows.select([one.name for one in known]).to_pylist()
        ]

    def infer(self, body: bytes) -> None:
        """Let one row be answered; returns when the whole answer is there."""
        self._ask("POST", f"/v2/models/{self.model}/infer", body)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            self.connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            status, found = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the gateway of the rehearsal does not answer: {error}") from error
        if status >= 500:
            raise WorkerFailed(f"it has no answer to a row of the rehearsal: {_reason(found)}")
        if status != 200:
            raise InvalidInput(f"it does not take a row of the rehearsal: {_reason(found)}")
        return found


def _value(column: _Input, row: Mapping[str, Scalar]) -> Scalar:
    """Return a logged value as a caller sends it: the log has whole numbers as floats."""
    value = row[column.name]
    if column.datatype == "INT64" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _reason(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Problem).detail
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:200].decode(errors="replace")
