"""A model in a process of its own, asked from an event loop with several requests in flight."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from paddock.kernel.errors import PaddockError, WorkerFailed
from paddock.models.encode import Columns, Encoder
from paddock.models.package import load_manifest
from paddock.models.records import PackageManifest, SandboxLevel
from paddock.models.worker.client import START_TIMEOUT_S, check_matrix
from paddock.models.worker.process import WorkerProcess, refused, spawn_worker
from paddock.models.worker.protocol import (
    LENGTHS,
    Answer,
    FrameError,
    Header,
    Predict,
    Ready,
    Refusal,
    Vector,
    check_reply,
    encode_frame,
    encode_matrix,
    parse_answer,
    parse_header,
    parse_lengths,
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Predict
    answer: "asyncio.Future[Vector]"
    timer: asyncio.TimerHandle


class AsyncModelWorker:
    """Like `ModelWorker`, for one event loop: `worker = await AsyncModelWorker.start(folder)`.

    Requests are sent as they come and answered in order. A request without an answer after
    `timeout_s` ends the worker, since those behind it would wait as well. `failed` is done with the
    reason when the worker is no longer usable, for the supervisor that starts the next one; after
    `close` it stays open.
    """

    def __init__(
        self, process: WorkerProcess, link: "_Link", manifest: PackageManifest, timeout_s: float
    ) -> None:
        """Use `start`."""
        self.manifest = manifest
        self.ready = link.ready
        self.timeout_s = timeout_s
        self.failed: asyncio.Future[WorkerFailed] = asyncio.get_running_loop().create_future()
        self._process = process
        self._link = link
        self._encoder = Encoder(manifest.signature)
        self._waiting: deque[_Waiting] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._timed_out = False
        self._request_id = 0
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        folder: Path,
        *,
        digest: str = "",
        threads: int = 1,
        timeout_s: float = 30.0,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> "AsyncModelWorker":
        """Start the process and return when its model is loaded; raises as `ModelWorker` does."""
        manifest = load_manifest(folder, digest=digest)
        process = spawn_worker(folder, digest=digest, threads=threads)
        try:
            async with asyncio.timeout(start_timeout_s):
                link = await _open_link(process)
        except TimeoutError as error:
            raise await _describe(process, f"was not ready within {start_timeout_s:g} s") from error
        except FrameError as error:
            raise await _describe(process, f"broke the protocol: {error}") from error
        except (OSError, EOFError) as error:
            raise await _describe(process, "") from error
        except (PaddockError, asyncio.CancelledError):
            await asyncio.shield(asyncio.to_thread(process.end, 0.5))
            raise
        return cls(process, link, manifest, timeout_s)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def sandbox_level(self) -> SandboxLevel:
        return self.ready.sandbox_level

    @property
    def in_flight(self) -> int:
        return len(self._waiting)

    async def predict(self, matrix: Vector) -> Vector:
        """Return one answer a row of `matrix`, shape (rows, columns of the signature).

        Raises InvalidInput when the model refuses the rows, WorkerFailed when the worker is gone.
        """
        matrix = check_matrix(matrix, len(self.manifest.signature.columns))
        if self.failed.done():
            raise self.failed.result()
        if self._closing:
            raise WorkerFailed("the model worker was closed")
        waiting = self._enqueue(Predict(self._next_id(), *matrix.shape))
        self._link.writer.writelines(encode_frame(waiting.request, encode_matrix(matrix)))
        # the reader meets the same broken connection, and words it for every request in flight
        with contextlib.suppress(OSError):
            await self._link.writer.drain()
        return await waiting.answer

    async def predict_rows(self, columns: Columns) -> Vector:
        """Encode the rows by the signature and answer them; InvalidRows names every fault."""
        return await self.predict(self._encoder.encode(columns))

    async def close(self) -> None:
        """Take no further request, wait for those in flight, end the process. Safe to call again."""
        self._closing = True
        await self._idle.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._link.writer.transport.abort()
        await asyncio.to_thread(self._process.end, 2.0)

    def _next_id(self) -> int:
        self._request_id += 1
        return self._request_id

    def _enqueue(self, request: Predict) -> _Waiting:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.timeout_s, self._time_out)
        waiting = _Waiting(request, loop.create_future(), timer)
        self._waiting.append(waiting)
        self._idle.clear()
        return waiting

    async def _read(self) -> None:
        reason = ""
        try:
            while True:
                self._settle(*await _receive(self._link.reader))
        except FrameError as error:
            reason = f"broke the protocol: {error}"
        except (OSError, EOFError):
            reason = f"gave no answer within {self.timeout_s:g} s" if self._timed_out else ""
        self._link.writer.transport.abort()
        self._fail_all(await _describe(self._process, reason))

    def _settle(self, header: Header, payload: bytes) -> None:
        if not self._waiting:
            raise FrameError(f"a {type(header).__name__} frame came unasked")
        reply = check_reply(self._waiting[0].request, header)
        result = parse_answer(reply, payload) if isinstance(reply, Answer) else None
        waiting = self._waiting.popleft()
        waiting.timer.cancel()
        if not self._waiting:
            self._idle.set()
        if waiting.answer.done():  # the caller was cancelled meanwhile
            return
        if result is not None:
            waiting.answer.set_result(result)
        elif isinstance(reply, Refusal):
            waiting.answer.set_exception(refused(reply))

    def _time_out(self) -> None:
        self._timed_out = True
        self._link.writer.transport.abort()  # ends `_read`

    def _fail_all(self, failure: WorkerFailed) -> None:
        if not self.failed.done():
            self.failed.set_result(failure)
        while self._waiting:
            waiting = self._waiting.popleft()
            waiting.timer.cancel()
            if not waiting.answer.done():
                waiting.answer.set_exception(failure)
        self._idle.set()


@dataclass(frozen=True, slots=True)
class _Link:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ready: Ready


async def _open_link(process: WorkerProcess) -> _Link:
    """Shake hands; raises what the worker reported when it could not load the model."""
    # The transport gets a socket of its own to close, so that no thread closes one the loop still polls.
    own = process.connection.dup()
    process.connection.close()
    reader, writer = await asyncio.open_connection(sock=own)
    try:
        writer.writelines(encode_frame(process.start_frame))
        header, _ = await _receive(reader)
        reply = check_reply(process.start_frame, header)
        if isinstance(reply, Refusal):
            raise refused(reply)
        if not isinstance(reply, Ready):
            raise FrameError("the worker did not report that it is ready")
    except BaseException:
        writer.transport.abort()
        raise
    return _Link(reader, writer, reply)


async def _receive(reader: asyncio.StreamReader) -> tuple[Header, bytes]:
    header_bytes, payload_bytes = parse_lengths(await reader.readexactly(LENGTHS.size))
    header = parse_header(await reader.readexactly(header_bytes))
    return header, await reader.readexactly(payload_bytes) if payload_bytes else b""


async def _describe(process: WorkerProcess, reason: str) -> WorkerFailed:
    return await asyncio.to_thread(process.describe_failure, reason)
