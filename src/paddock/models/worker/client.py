"""A model in a process of its own, asked synchronously."""

import logging
import threading
from pathlib import Path
from types import TracebackType

from paddock.kernel.errors import InvalidInput, LimitExceeded, PaddockError, WorkerFailed
from paddock.models.encode import Columns, Encoder
from paddock.models.package import load_manifest
from paddock.models.records import SandboxLevel
from paddock.models.worker.process import WorkerProcess, refused, spawn_worker
from paddock.models.worker.protocol import (
    MAX_PAYLOAD_BYTES,
    Answer,
    FrameError,
    Predict,
    Ready,
    Refusal,
    Start,
    Vector,
    check_reply,
    encode_matrix,
    parse_answer,
    receive_frame,
    send_frame,
)
from paddock.models.worker.template import WorkerTemplate

START_TIMEOUT_S = 120.0
_LOG = logging.getLogger(__name__)


class ModelWorker:
    """Answers with the model of a package folder; the process starts here and ends with `close`.

    digest: of the package; given, the manifest must have it. threads: of the estimator.
    timeout_s: longest time for one answer, after which the worker is killed. template: forks the worker
    when the package takes a matrix and one thread is asked for; where it cannot, and for every other
    package, a fresh interpreter is started, with the same answers and the same sandbox. Calls from
    several threads wait for each other. Raises IntegrityError when the folder's bytes are not those of
    the manifest, Forbidden for types that may not be loaded, UnreadableFile for a broken model file,
    WorkerFailed when the process died or did not answer; after a WorkerFailed every further call raises
    it again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        digest: str = "",
        threads: int = 1,
        timeout_s: float = 30.0,
        start_timeout_s: float = START_TIMEOUT_S,
        template: WorkerTemplate | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = load_manifest(folder, digest=digest)
        self.timeout_s = timeout_s
        self._encoder = Encoder(self.manifest.signature)
        self._lock = threading.Lock()
        self._request_id = 0
        self._failure: PaddockError | None = None
        if template is not None and threads == 1 and self.manifest.input == "matrix":
            self._process = _fork_or_spawn(template, folder, digest, start_timeout_s)
        else:
            self._process = spawn_worker(folder, digest=digest, threads=threads)
        header, _ = self._exchange(self._process.start_frame, memoryview(b""), start_timeout_s)
        if not isinstance(header, Ready):
            self.close()
            raise refused(header)
        self.ready = header

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_failed(self) -> bool:
        """Whether every further call would raise, also when the process has ended unasked."""
        return self._failure is not None or self._process.has_ended

    @property
    def sandbox_level(self) -> SandboxLevel:
        return self.ready.sandbox_level

    def predict(self, matrix: Vector) -> Vector:
        """Return one answer a row of `matrix`, shape (rows, columns of the signature).

        Raises InvalidInput when the model refuses the rows.
        """
        matrix = check_matrix(matrix, len(self.manifest.signature.columns))
        with self._lock:
            self._request_id += 1
            request = Predict(self._request_id, *matrix.shape)
            header, payload = self._exchange(request, encode_matrix(matrix), self.timeout_s)
        if isinstance(header, Answer):
            return parse_answer(header, payload)
        raise refused(header)

    def predict_rows(self, columns: Columns) -> Vector:
        """Encode the rows by the signature and answer them; InvalidRows names every fault."""
        return self.predict(self._encoder.encode(columns))

    def close(self) -> None:
        """End the process; further calls raise WorkerFailed. Safe to call again."""
        if self._failure is None:
            self._failure = WorkerFailed("the model worker was closed")
        self._process.end(grace_s=2.0)

    def __enter__(self) -> "ModelWorker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(
        self, request: Start | Predict, payload: memoryview, timeout_s: float
    ) -> tuple[Ready | Answer | Refusal, bytearray]:
        """Send one frame and return the one that answers it; end the worker when that cannot be had."""
        if self._failure is not None:
            raise self._failure
        # stands when an interrupt leaves the connection between question and answer
        self._failure = WorkerFailed("the model worker was left in the middle of an answer")
        connection = self._process.connection
        try:
            connection.settimeout(timeout_s)
            send_frame(connection, request, payload)
            frame = receive_frame(connection)
            answer = None if frame is None else (check_reply(request, frame[0]), frame[1])
        except TimeoutError as error:
            raise self._fail(f"gave no answer within {timeout_s:g} s") from error
        except FrameError as error:
            raise self._fail(f"broke the protocol: {error}") from error
        except OSError as error:
            raise self._fail("") from error
        if answer is None:
            raise self._fail("")
        self._failure = None
        return answer

    def _fail(self, reason: str) -> WorkerFailed:
        self._failure = failure = self._process.describe_failure(reason)
        return failure


def _fork_or_spawn(template: WorkerTemplate, folder: Path, digest: str, timeout_s: float) -> WorkerProcess:
    try:
        return template.fork(folder, digest=digest, timeout_s=timeout_s)
    except WorkerFailed as failure:
        _LOG.warning("worker.template_failed", extra={"reason": failure.message})
        return spawn_worker(folder, digest=digest, threads=1)


def check_matrix(matrix: Vector, columns: int) -> Vector:
    """Return `matrix` if it has the columns and fits a frame, else raise InvalidInput."""
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise InvalidInput(f"the model takes {columns} columns, but the matrix has the shape {matrix.shape}")
    if matrix.size * 8 > MAX_PAYLOAD_BYTES:
        raise LimitExceeded(f"{len(matrix)} rows are too many for one request", hint="send them in batches")
    return matrix
