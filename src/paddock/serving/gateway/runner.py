"""One model version: its worker process, the batches sent to it, and its way back after a crash."""

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paddock.kernel.clock import monotonic_s
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import (
    IntegrityError,
    InvalidInput,
    PaddockError,
    Unavailable,
    VerificationFailed,
    WorkerFailed,
)
from paddock.kernel.refusals import AnswerTooSlow
from paddock.models import AsyncModelWorker, Encoder, Golden, PackageManifest, decode_golden

Vector = npt.NDArray[np.float64]

_LOG = logging.getLogger(__name__)
_MOST_BATCH_ROWS = 4096
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.1, 10.0
_STEADY_AFTER_S = 30.0
_CLOSE_S = 2.0
_GOLDEN_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    threads: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Package:
    """A version's package in the state folder."""

    version: int
    digest: Digest
    folder: Path


@dataclass(frozen=True, slots=True)
class _Waiting:
    matrix: Vector
    answer: "asyncio.Future[Vector]"
    since_s: float


class VersionRunner:
    """Scores matrices with one model version. Made by `start`; lives in one event loop.

    Rows of several requests that wait together go to the worker as one batch; there is no timer,
    a batch leaves when the worker is free. A request waits at most `timeout_s` for its turn, and the
    worker has as long for a batch.
    """

    def __init__(self, package: Package, worker: AsyncModelWorker, options: WorkerOptions) -> None:
        self.package = package
        self.manifest: PackageManifest = worker.manifest
        self.encoder = Encoder(self.manifest.signature)
        self.names = frozenset(self.manifest.signature.names)
        self.restarts = 0
        self.waiting_rows = 0
        self.last_failure = ""
        self._options = options
        self._worker: AsyncModelWorker | None = worker
        self._waiting: deque[_Waiting] = deque()
        self._batch: asyncio.Task[None] | None = None
        self._is_flush_due = False
        self._keeper = asyncio.create_task(self._keep_running())

    @classmethod
    async def start(cls, package: Package, options: WorkerOptions) -> "VersionRunner":
        """Start a worker and warm it with the golden rows.

        Raises VerificationFailed when it answers them differently than recorded, and what
        `AsyncModelWorker.start` raises when the package cannot be loaded.
        """
        worker = await _start_worker(package, options)
        try:
            await _check_golden(package, worker)
        except BaseException:
            await worker.close()
            raise
        return cls(package, worker, options)

    @property
    def is_ready(self) -> bool:
        return self._worker is not None and not self._worker.failed.done()

    @property
    def pid(self) -> int:
        return self._worker.pid if self._worker else 0

    @property
    def sandbox_level(self) -> str:
        return self._worker.sandbox_level if self._worker else "none"

    def submit(self, matrix: Vector) -> "asyncio.Future[Vector]":
        """Queue rows; the future brings one answer a row, or WorkerFailed, or InvalidInput.

        Raises WorkerFailed at once while the worker is being restarted.
        """
        if not self.is_ready:
            reason = self.last_failure or "it died"
            raise WorkerFailed(
                f"the worker of version {self.package.version} is being restarted: {reason}",
                hint="send the request again in a moment",
            )
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Vector] = loop.create_future()
        self._waiting.append(_Waiting(matrix, answer, monotonic_s()))
        self.waiting_rows += len(matrix)
        if self._batch is None and not self._is_flush_due:
            self._is_flush_due = True
            loop.call_soon(self._flush)  # after the requests that are readable now have queued theirs
        return answer

    async def close(self) -> None:
        """Give what still waits a moment to be answered, then end the worker."""
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        try:
            async with asyncio.timeout(_CLOSE_S):
                while self._batch is not None or self._is_flush_due:
                    await (asyncio.wait({self._batch}) if self._batch else asyncio.sleep(0))
        except TimeoutError:
            _LOG.warning("worker.hangs", extra={"version": self.package.version, "pid": self.pid})
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        if self._worker is not None:
            await self._worker.close()

    def _flush(self) -> None:
        self._is_flush_due = False
        oldest_s = monotonic_s() - self._options.timeout_s
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0].matrix) <= _MOST_BATCH_ROWS):
            waiting = self._waiting.popleft()
            self.waiting_rows -= len(waiting.matrix)
            if waiting.answer.done():  # a shadow's, given up meanwhile
                continue
            if waiting.since_s < oldest_s:
                _fail([waiting], AnswerTooSlow(f"no answer within {self._options.timeout_s:g} s"))
                continue
            batch.append(waiting)
            rows += len(waiting.matrix)
        if batch:
            self._batch = asyncio.create_task(self._run(batch))

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._answer(batch)
        finally:
            self._batch = None
            if self._waiting:
                self._flush()

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        try:
            if self._worker is None:
                raise WorkerFailed(f"the worker of version {self.package.version} died")
            joined = batch[0].matrix if len(batch) == 1 else np.concatenate([one.matrix for one in batch])
            answers = await self._worker.predict(joined)
        except InvalidInput as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:  # only the request with the bad row fails
                for one in batch:
                    await self._answer([one])
        except Unavailable as error:
            _fail(batch, error)
        else:
            start = 0
            for one in batch:
                end = start + len(one.matrix)
                if not one.answer.done():
                    one.answer.set_result(answers[start:end])
                start = end

    async def _keep_running(self) -> None:
        """Start the worker again whenever it is gone, waiting longer each time it does not stay up."""
        backoff_s = _FIRST_BACKOFF_S
        started_at = monotonic_s()
        while True:
            if self._worker is not None:
                failure = await asyncio.shield(self._worker.failed)
                self.last_failure = failure.message
                self._worker = None
                if monotonic_s() - started_at > _STEADY_AFTER_S:
                    backoff_s = _FIRST_BACKOFF_S
            _LOG.error("worker.died", extra={"version": self.package.version, "reason": self.last_failure})
            await asyncio.sleep(backoff_s)
            backoff_s = min(_LONGEST_BACKOFF_S, 2 * backoff_s)
            try:
                self._worker = await _start_worker(self.package, self._options)
            except PaddockError as error:
                self.last_failure = error.message
            else:
                started_at = monotonic_s()
                self.restarts += 1
                _LOG.warning("worker.restarted", extra={"version": self.package.version, "pid": self.pid})


async def _start_worker(package: Package, options: WorkerOptions) -> AsyncModelWorker:
    return await AsyncModelWorker.start(
        package.folder, digest=package.digest, threads=options.threads, timeout_s=options.timeout_s
    )


async def _check_golden(package: Package, worker: AsyncModelWorker) -> None:
    golden = _read_golden(package, worker.manifest)
    encoded = Encoder(worker.manifest.signature).encode(golden.rows())
    if not np.array_equal(encoded, golden.matrix(), equal_nan=True):
        raise VerificationFailed(
            f"version {package.version} is not served: its golden rows are encoded differently than recorded",
            hint="verify the package to learn the cause",
            version=package.version,
        )
    recorded, answers = golden.recorded_answers(), await worker.predict(encoded)
    off = float(np.abs(answers - recorded).max(initial=0.0))
    if not off <= _GOLDEN_TOLERANCE * max(1.0, float(np.abs(recorded).max(initial=0.0))):
        raise VerificationFailed(
            f"version {package.version} is not served: its golden answers differ by up to {off:g}",
            hint="verify the package to learn the cause",
            version=package.version,
        )


def _read_golden(package: Package, manifest: PackageManifest) -> Golden:
    name = next(name for name in manifest.files if name.startswith("golden"))
    body = (package.folder / name).read_bytes()
    if digest_bytes(body) != manifest.files[name]:
        raise IntegrityError(f"`{name}` of version {package.version} is not the file its manifest names")
    return decode_golden(body)


def _fail(batch: Sequence[_Waiting], error: PaddockError) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)
