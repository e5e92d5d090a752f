"""The worker's own side: load one model in the sandbox, then answer frames until the parent hangs up.

Started by `spawn_worker` as `python -I` with the number of its socket as the only argument, or forked
by a template, which has imported the libraries before.
"""

import os
import select
import socket
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np

from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import IntegrityError, InvalidInput, PaddockError
from paddock.models.environment import installed_packages, python_version
from paddock.models.formats.sklearn import Answerer, limit_jobs, load_estimator, names_pandas
from paddock.models.manifest import parse_manifest
from paddock.models.records import MANIFEST_FILE, MODEL_FILE, InputKind, PackageManifest
from paddock.models.worker.protocol import (
    Answer,
    FrameError,
    Predict,
    Ready,
    Refusal,
    Start,
    Vector,
    encode_matrix,
    receive_frame,
    send_frame,
)
from paddock.models.worker.sandbox import (
    die_with_parent,
    enter_sandbox,
    forbid_processes,
    library_folders,
    limit_resources,
)

# What estimators raise for values they cannot take. Anything else ends the process, and its last words
# reach the parent by stderr.
_REFUSALS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RuntimeError, MemoryError)


@dataclass(frozen=True, slots=True)
class _Model:
    answerer: Answerer
    manifest: PackageManifest
    ready: Ready


def main(descriptor: int) -> int:
    """Serve the connection `descriptor`; returns the exit status."""
    limit_resources()
    connection = socket.socket(fileno=descriptor)
    frame = receive_frame(connection)
    if frame is None:
        return 0
    start = frame[0]
    if not isinstance(start, Start):
        raise FrameError("the first frame is not a start")
    if start.die_with_parent:
        die_with_parent(start.parent_pid)
    try:
        model = _load(start, connection)
    except PaddockError as error:
        send_frame(connection, Refusal(0, error.code, error.message))
        return 1
    send_frame(connection, model.ready)
    return _serve(connection, model)


class _WithoutPandas(MetaPathFinder):
    """Lets scikit-learn find that pandas is not installed.

    It imports what it finds, at its own start or with the first answer: a third of the start time and 80 MB,
    for nothing where a model takes a matrix.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system gives it
        target: ModuleType | None = None,  # noqa: ARG002 - the import system gives it
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is kept out of a model that takes a matrix", name="pandas")
        return None


_without_pandas = _WithoutPandas()


@cache
def import_libraries(kind: InputKind) -> tuple[str, ...]:
    """Import what a model needs before the sandbox closes; pandas only when it is fed a frame.

    Returns `name==version` of what was installed then: a worker forked later has these in memory.
    """
    if kind == "frame":
        import_module("pandas")
        import_module("skops.io")
        return installed_packages()
    sys.meta_path.insert(0, _without_pandas)
    import_module("skops.io")
    return installed_packages()


def _load(start: Start, connection: socket.socket) -> _Model:
    began = time.monotonic()
    warnings.simplefilter("ignore")
    folder = Path(start.folder)
    body = _read(folder, MANIFEST_FILE)
    digest = digest_bytes(body)
    if start.digest and digest != start.digest:
        raise IntegrityError("the package manifest is not the one asked for", package=start.digest)
    manifest = parse_manifest(body)
    packages = import_libraries(manifest.input)
    sandbox = enter_sandbox((*library_folders(), folder))
    threading.Thread(target=_watch_parent, args=(connection.fileno(),), daemon=True).start()
    if start.threads == 1:
        forbid_processes()
    model_file = _read_verified(folder, MODEL_FILE, manifest)
    if manifest.input == "matrix" and names_pandas(model_file):
        sys.meta_path.remove(_without_pandas)
    estimator = load_estimator(model_file, manifest.types)
    limit_jobs(estimator, start.threads)
    answerer = Answerer(estimator, manifest.signature, manifest.input, manifest.frame_dtypes)
    ready = Ready(
        pid=os.getpid(),
        package_digest=digest,
        sandbox_level=sandbox.level,
        notes=sandbox.notes,
        packages=packages,
        python=python_version(),
        load_s=time.monotonic() - began,
    )
    return _Model(answerer, manifest, ready)


def _serve(connection: socket.socket, model: _Model) -> int:
    while True:
        frame = receive_frame(connection)
        if frame is None:
            return 0
        request, payload = frame
        if not isinstance(request, Predict):
            raise FrameError(f"a {type(request).__name__} frame came instead of a predict frame")
        try:
            answers = _answer(model, request, payload)
        except PaddockError as error:
            send_frame(connection, Refusal(request.request_id, error.code, error.message))
        except _REFUSALS as error:
            words = f"the model refuses the rows: {type(error).__name__}: {str(error)[:2000]}"
            send_frame(connection, Refusal(request.request_id, InvalidInput.code, words))
        else:
            send_frame(connection, Answer(request.request_id, len(answers)), encode_matrix(answers))


def _answer(model: _Model, request: Predict, payload: bytearray) -> Vector:
    wanted = len(model.manifest.signature.columns)
    if request.column_count != wanted or len(payload) != request.row_count * wanted * 8:
        raise InvalidInput(
            f"the model takes {wanted} columns, but {request.column_count} came in {len(payload)} bytes"
        )
    if request.row_count == 0:
        return np.empty(0)
    matrix = np.frombuffer(payload, dtype="<f8").reshape(request.row_count, wanted)
    answers = model.answerer.answer(matrix)
    if answers.shape != (request.row_count,) or not np.isfinite(answers).all():
        raise InvalidInput("the model does not answer each row with one finite number")
    return answers


def _read_verified(folder: Path, name: str, manifest: PackageManifest) -> bytes:
    """Return the bytes of a file of the package; those hashed are those returned."""
    body = _read(folder, name)
    if digest_bytes(body) != manifest.files.get(name, Digest("")):
        raise IntegrityError(f"`{name}` is not the file its manifest names", file=name)
    return body


def _read(folder: Path, name: str) -> bytes:
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()
    except OSError as error:
        raise IntegrityError(
            f"`{name}` of the package cannot be read: {error.strerror}", file=name
        ) from error


def _watch_parent(descriptor: int) -> None:
    """End the process when the parent hangs up, also in the middle of a long answer."""
    poller = select.poll()
    poller.register(descriptor, 0)
    poller.poll()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
