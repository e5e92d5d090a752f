"""Runs tests inside of the client's own interpreter, one after the other; see tests/plugins/mlflow_kit.py.

A line of JSON names a test, one answers with its failure. Whatever the client prints goes to stderr.
"""

import contextlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import FunctionType, ModuleType

import mlflow
from mlflow.tracking import fluent


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # taken once, so that what one test sets is not there for the next one
    environment = dict(os.environ)
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.clear()
        os.environ.update(environment)
        failure = run(request["module"], request["name"], request["uri"], request["arguments"])
        answers.write(json.dumps({"failure": failure}) + "\n")


def run(path: str, name: str, uri: str, arguments: Mapping[str, object]) -> str:
    """Run one test with a fresh experiment and return the trace of its failure, or an empty string."""
    try:
        with fresh_client(uri) as experiment_id:
            test: FunctionType = getattr(load_module(path), name)
            client = mlflow.MlflowClient()
            known = {
                "mlflow": mlflow,
                "client": client,
                "experiment_id": experiment_id,
                "api": asking(uri),
                "tracking_uri": uri,
            }
            wanted = inspect.signature(test).parameters
            test(**{each: known[each] if each in known else arguments[each] for each in wanted})
    except BaseException as error:  # noqa: BLE001 - whatever a test raises is its failure
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


@contextlib.contextmanager
def fresh_client(uri: str) -> Iterator[str]:
    """Point the client at the server and a new experiment, and leave nothing behind for the next test."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield mlflow.set_experiment(f"test-{uuid.uuid4().hex}").experiment_id
    finally:
        while mlflow.active_run() is not None:
            mlflow.end_run()
        mlflow.set_workspace(None)
        mlflow.autolog(disable=True)
        fluent._active_experiment_id = None


@cache
def load_module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"compat_{abs(hash(path))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asking(uri: str) -> Callable[..., tuple[int, dict[str, object]]]:
    """Return the function that tests know as `api`."""

    def ask(
        method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, object]]:
        """Send `body` as JSON, a text as it is; a path without `/` first stands below `/api/2.0/mlflow/`."""
        text = body if isinstance(body, str) else json.dumps(body)
        data = None if body is None else text.encode()
        url = f"{uri}{path}" if path.startswith("/") else f"{uri}/api/2.0/mlflow/{path}"
        sent = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(url, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, read_json(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, read_json(error.read())

    return ask


def read_json(body: bytes) -> dict[str, object]:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return {"text": body.decode(errors="replace")}


if __name__ == "__main__":
    main()
