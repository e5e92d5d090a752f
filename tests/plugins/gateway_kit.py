"""Real gateways for tests: three small models, a state folder, a client that keeps its connection."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from paddock.kernel.digest import Digest
from paddock.models import Package, Signature, build_package, encode_rows, infer_signature, save_package
from paddock.objects import MemoryBackend, ObjectStore
from paddock.serving import (
    EndpointConfig,
    GatewayOptions,
    GatewayProcess,
    GatewayState,
    Route,
    publish,
    start_gateway,
)

Values = Mapping[str, Sequence[object]]
DATATYPES = {"carrier": "BYTES", "hour": "INT64", "wind": "FP64"}
CARRIERS = ("AA", "B6", "DL", "UA")


@dataclass(frozen=True, slots=True)
class Fleet:
    """Versions 1 and 2 answer differently; 9 was recorded with two columns swapped."""

    objects: ObjectStore
    signature: Signature
    estimators: Mapping[int, LogisticRegression]
    digests: Mapping[int, Digest]

    def answers(self, version: int, rows: Values) -> npt.NDArray[np.float64]:
        matrix = encode_rows(self.signature, rows)
        return np.asarray(self.estimators[version].predict_proba(matrix)[:, 1], dtype=np.float64)

    def config(
        self, routes: Mapping[int, float], *, generation: int = 1, shadow: int = 0, salt: str = "salt"
    ) -> EndpointConfig:
        return EndpointConfig(
            endpoint="delay",
            generation=generation,
            model="delay",
            salt=salt,
            routes=tuple(Route(version, weight) for version, weight in routes.items()),
            packages=dict(self.digests),
            shadow_version=shadow,
        )

    def publish(
        self, folder: Path, routes: Mapping[int, float], *, generation: int = 1, shadow: int = 0
    ) -> None:
        publish(GatewayState(folder), self.config(routes, generation=generation, shadow=shadow), self.objects)


@lru_cache(maxsize=1)
def make_fleet() -> Fleet:
    """Fit the models; once for all tests of a process."""
    random = np.random.default_rng(5)
    table = pa.table(
        {
            "carrier": pa.array(random.choice(CARRIERS, 300)),
            "hour": pa.array(random.integers(0, 24, 300)),
            "wind": pa.array(random.normal(10, 4, 300), mask=random.random(300) < 0),
        }
    )
    signature = infer_signature(table)
    matrix = encode_rows(signature, {name: table[name] for name in table.column_names})
    noise = random.normal(0, 8, 300)
    estimators = {
        1: LogisticRegression(max_iter=1000).fit(matrix, matrix[:, 1] + noise > 12),
        2: LogisticRegression(max_iter=1000).fit(matrix, matrix[:, 2] + noise > 10),
    }
    swapped = matrix[:, [0, 2, 1]]
    packages: dict[int, Package] = {
        version: build_package(estimator, sample=table, signature=signature)
        for version, estimator in estimators.items()
    }
    packages[9] = build_package(estimators[1], sample=table, signature=signature, features=swapped)
    objects = ObjectStore(MemoryBackend())
    digests = {version: save_package(objects, package) for version, package in packages.items()}
    return Fleet(objects, signature, estimators, digests)


def make_rows(count: int, *, seed: int = 0) -> dict[str, list[object]]:
    random = np.random.default_rng(seed)
    return {
        "carrier": random.choice(CARRIERS, count).tolist(),
        "hour": random.integers(0, 24, count).tolist(),
        "wind": random.normal(10, 4, count).round(3).tolist(),
    }


def infer_body(rows: Values, **reserved: Sequence[str]) -> dict[str, object]:
    """Return an infer request; `reserved` are `idempotency_key`, `event_time`, `routing_key`."""
    count = len(next(iter(rows.values())))
    tensors = [(name, DATATYPES.get(name, "FP64"), values) for name, values in rows.items()]
    tensors += [(f"paddock.{name}", "BYTES", values) for name, values in reserved.items()]
    inputs = [
        {"name": name, "shape": [count], "datatype": datatype, "data": list(values)}
        for name, datatype, values in tensors
    ]
    return {"inputs": inputs}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    def output(self, name: str) -> list[object]:
        """Return the data of one output tensor of an answer."""
        assert self.status == 200, self
        outputs = self.json()["outputs"]
        assert isinstance(outputs, list)
        return list(next(tensor["data"] for tensor in outputs if tensor["name"] == name))

    @property
    def predictions(self) -> list[float]:
        return [float(str(value)) for value in self.output("probability")]

    @property
    def ids(self) -> list[str]:
        return [str(value) for value in self.output("paddock.prediction_id")]

    @property
    def versions(self) -> list[int]:
        return [int(str(value)) for value in self.output("paddock.model_version")]


@dataclass(slots=True)
class Client:
    """One connection, opened again after an error. Raises OSError or HTTPException like `http.client`."""

    url: str
    timeout_s: float = 30.0
    _connection: http.client.HTTPConnection | None = field(default=None)

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                self.url.removeprefix("http://"), timeout=self.timeout_s
            )
        try:
            self._connection.request(method, path, raw, dict(headers or {}))
            answer = self._connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def infer(self, rows: Values, **reserved: Sequence[str]) -> Reply:
        return self.ask("POST", "/v2/models/delay/infer", infer_body(rows, **reserved))

    def status(self) -> dict[str, object]:
        return self.get("/status").json()

    def pid_of(self, version: int) -> int:
        """Return the process of a version's worker."""
        versions = self.status()["versions"]
        assert isinstance(versions, list)
        return next(int(one["pid"]) for one in versions if one["version"] == version)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = self.get("/metrics").body.decode().splitlines()
        found = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def running(state: Path, **options: object) -> Iterator[tuple[GatewayProcess, Client]]:
    """Run a gateway that is ready, with a client; stop it at the end."""
    plain = GatewayOptions(state=state, port=0)
    with start_gateway(msgspec.structs.replace(plain, **options)) as gateway:
        gateway.wait_ready()
        client = Client(gateway.url)
        try:
            yield gateway, client
        finally:
            client.close()


def wait_until(holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Fail when `holds` has not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)
