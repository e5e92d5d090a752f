"""Model workers that are killed, stopped, orphaned, lied to, or handed a hostile model file."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace
from sklearn.linear_model import LogisticRegression

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import Forbidden, IntegrityError, WorkerFailed
from paddock.models import (
    AsyncModelWorker,
    ModelWorker,
    Package,
    build_package,
    infer_signature,
    materialize_package,
    save_package,
)
from paddock.models.records import MODEL_FILE
from paddock.models.worker import protocol
from paddock.models.worker.process import WorkerProcess, spawn_worker
from paddock.models.worker.template import WorkerTemplate
from paddock.objects import MemoryBackend, ObjectStore

SOURCE = Path(__file__).parents[2] / "src"
ROWS = np.array([[0.5], [2.5]])
GONE_MS = 20_000


def make_package() -> Package:
    table = pa.table({"x": [0.0, 1.0, 2.0, 3.0]})
    estimator = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    return build_package(estimator, sample=table, signature=infer_signature(table))


def lay_out(package: Package, folder: Path) -> Path:
    objects = ObjectStore(MemoryBackend())
    materialize_package(objects, save_package(objects, package), folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(make_package(), tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def running_template() -> Iterator[WorkerTemplate]:
    with WorkerTemplate() as template:
        yield template


@pytest.fixture(params=["spawned", "forked"])
def template(request: pytest.FixtureRequest) -> WorkerTemplate | None:
    """A template to fork from, or None to spawn: what a worker says does not depend on how it came to be."""
    return request.getfixturevalue("running_template") if request.param == "forked" else None


@pytest.fixture
def worker(folder: Path, template: WorkerTemplate | None) -> Iterator[ModelWorker]:
    with ModelWorker(folder, timeout_s=0.5, template=template) as running:
        yield running


def start_process(folder: Path, template: WorkerTemplate | None) -> WorkerProcess:
    if template is None:
        return spawn_worker(folder, digest="", threads=1)
    return template.fork(folder, digest="", timeout_s=60)


def is_gone(pid_handle: int) -> bool:
    """Wait until the process of a pidfd has ended; a zombie has."""
    poller = select.poll()
    poller.register(pid_handle, select.POLLIN)
    return bool(poller.poll(GONE_MS))


def test_killed_in_the_middle_of_a_request(folder: Path, template: WorkerTemplate | None) -> None:
    """SIGKILL while a request is open is a WorkerFailed that says so, and stays one."""
    with ModelWorker(folder, timeout_s=60, template=template) as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        killer = threading.Timer(0.2, os.kill, (worker.pid, signal.SIGKILL))
        killer.start()

        with pytest.raises(WorkerFailed, match="was ended by SIGKILL") as caught:
            worker.predict(ROWS)
        killer.join()

        assert caught.value.details["status"] == -signal.SIGKILL
        with pytest.raises(WorkerFailed, match="was ended by SIGKILL"):
            worker.predict(ROWS)


def test_worker_that_hangs_is_killed(worker: ModelWorker) -> None:
    """No answer within the timeout is a WorkerFailed, and the process is gone."""
    handle = os.pidfd_open(worker.pid)
    os.kill(worker.pid, signal.SIGSTOP)

    with pytest.raises(WorkerFailed, match=r"gave no answer within 0\.5 s"):
        worker.predict(ROWS)

    assert is_gone(handle)
    os.close(handle)


def test_every_request_in_flight_fails_with_the_reason(folder: Path) -> None:
    """When an async worker is killed, all open requests and `failed` carry the same reason."""

    async def ask() -> tuple[list[object], WorkerFailed]:
        worker = await AsyncModelWorker.start(folder)
        os.kill(worker.pid, signal.SIGSTOP)
        asking = [asyncio.create_task(worker.predict(ROWS)) for _ in range(5)]
        while worker.in_flight < 5:
            await asyncio.sleep(0)
        os.kill(worker.pid, signal.SIGKILL)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        failure = await worker.failed
        with pytest.raises(WorkerFailed):
            await worker.predict(ROWS)
        await worker.close()
        return answers, failure

    answers, failure = asyncio.run(ask())

    assert "was ended by SIGKILL" in failure.message
    assert answers == [failure] * 5


def test_async_worker_that_hangs_is_killed(folder: Path) -> None:
    """A request without an answer in time ends the worker and fails those behind it."""

    async def ask() -> tuple[list[object], bool]:
        worker = await AsyncModelWorker.start(folder, timeout_s=0.3)
        handle = os.pidfd_open(worker.pid)
        os.kill(worker.pid, signal.SIGSTOP)
        answers = await asyncio.gather(worker.predict(ROWS), worker.predict(ROWS), return_exceptions=True)
        gone = is_gone(handle)
        os.close(handle)
        await worker.close()
        return answers, gone

    answers, gone = asyncio.run(ask())

    assert gone
    assert all(isinstance(answer, WorkerFailed) for answer in answers)
    assert "gave no answer within 0.3 s" in str(answers[1])


@pytest.mark.parametrize("starter", ["main", "thread"])
def test_worker_ends_with_its_killed_parent(folder: Path, starter: str) -> None:
    """A worker outlives the thread that started it, and SIGKILL of the parent leaves none behind."""
    program = (
        "import numpy, sys, threading, time\n"
        "from pathlib import Path\n"
        "from paddock.models import ModelWorker\n"
        "def start():\n"
        "    global worker\n"
        "    worker = ModelWorker(Path(sys.argv[1]))\n"
        "if sys.argv[2] == 'main':\n"
        "    start()\n"
        "else:\n"
        "    thread = threading.Thread(target=start)\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "worker.predict(numpy.array([[1.0]]))\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), starter],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert parent.stdout is not None
    handle = os.pidfd_open(int(parent.stdout.readline()))

    parent.kill()

    parent.wait()
    parent.stdout.close()
    assert is_gone(handle)
    os.close(handle)


def test_garbage_ends_the_worker_with_its_last_words(folder: Path, template: WorkerTemplate | None) -> None:
    """A frame beyond the limits ends the worker, and its reason reaches the parent."""
    process = start_process(folder, template)
    protocol.send_frame(process.connection, process.start_frame)
    frame = protocol.receive_frame(process.connection)
    assert frame is not None
    assert isinstance(frame[0], protocol.Ready)

    process.connection.sendall(protocol.LENGTHS.pack(2**31, 2**31))

    assert protocol.receive_frame(process.connection) is None
    failure = process.describe_failure("")
    assert "ended with status 1" in failure.message
    assert "beyond the limits" in failure.message


def test_matrix_of_a_wrong_size_is_refused_by_the_worker(folder: Path) -> None:
    """The worker believes no count: a payload that is not rows times columns is refused."""
    process = spawn_worker(folder, digest="", threads=1)
    protocol.send_frame(process.connection, process.start_frame)
    protocol.receive_frame(process.connection)

    replies = []
    for request, payload in [
        (protocol.Predict(1, 2, 1), bytes(8)),
        (protocol.Predict(2, 1, 2), bytes(16)),
        (protocol.Predict(3, -1, 1), b""),
        (protocol.Predict(4, 1, 1), bytes(8)),
    ]:
        protocol.send_frame(process.connection, request, payload)
        frame = protocol.receive_frame(process.connection)
        replies.append(type(frame[0]).__name__ if frame else "")
    process.end(grace_s=5)

    assert replies == ["Refusal", "Refusal", "Refusal", "Answer"]


def test_model_changed_behind_the_manifest_is_not_loaded(tmp_path: Path) -> None:
    """The worker hashes the bytes it loads: a changed model file is an IntegrityError."""
    lay_out(make_package(), tmp_path)
    body = bytearray((tmp_path / MODEL_FILE).read_bytes())
    body[-30] ^= 1
    (tmp_path / MODEL_FILE).write_bytes(body)

    with pytest.raises(IntegrityError, match=MODEL_FILE):
        ModelWorker(tmp_path)


def test_model_behind_a_symbolic_link_is_not_loaded(tmp_path: Path) -> None:
    """A link in place of the model file is not followed, though its target has the right bytes."""
    lay_out(make_package(), tmp_path / "package")
    (tmp_path / "package" / MODEL_FILE).rename(tmp_path / "elsewhere")
    (tmp_path / "package" / MODEL_FILE).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(IntegrityError, match="cannot be read"):
        ModelWorker(tmp_path / "package")


def hostile_body(command: str) -> bytes:
    """Return a skops file that runs `command` when loaded with `posix.system` trusted."""
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
    schema = {
        "__class__": "system",
        "__module__": "posix",
        "__loader__": "ConstructorFromReduceNode",
        "content": {
            "__class__": "tuple",
            "__module__": "builtins",
            "__loader__": "TupleNode",
            "content": [{**text, "content": json.dumps(command)}],
        },
        "protocol": 2,
        "_skops_version": "0.16.0",
    }
    body = BytesIO()
    with ZipFile(body, "w") as container:
        container.writestr("schema.json", json.dumps(schema))
    return body.getvalue()


def test_hostile_model_file_runs_nothing(tmp_path: Path, template: WorkerTemplate | None) -> None:
    """A file that would run a command is refused although its manifest pins the type it needs."""
    canary = tmp_path / "canary"
    body = hostile_body(f"touch {canary}")
    honest = make_package()
    manifest = replace(
        honest.manifest,
        types=("posix.system",),
        files={**honest.manifest.files, MODEL_FILE: digest_bytes(body)},
    )
    folder = lay_out(Package(manifest, {**honest.files, MODEL_FILE: body}), tmp_path / "package")

    with pytest.raises(Forbidden, match=r"posix\.system"):
        ModelWorker(folder, template=template)

    assert not canary.exists()
    # the file is a real attack: skops itself, told to trust the type, runs it
    loading = "import sys, skops.io; skops.io.load(sys.argv[1], trusted=['posix.system'])"
    subprocess.run([sys.executable, "-c", loading, str(folder / MODEL_FILE)], check=True)
    assert canary.exists()


SANDBOXED = """
import json, os, socket, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from paddock.models.worker.sandbox import enter_sandbox, library_folders, limit_resources
allowed, outside, port = Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
limit_resources()
entered = enter_sandbox((*library_folders(), allowed))
def attempt(name, action):
    try:
        action()
        results[name] = "allowed"
    except OSError as error:
        results[name] = os.strerror(error.errno)
results = {"level": entered.level, "notes": list(entered.notes)}
attempt("read inside", lambda: open(allowed / "manifest.json", "rb").close())
attempt("read outside", lambda: open(outside, "rb").close())
attempt("list outside", lambda: os.listdir(Path(outside).parent))
attempt("write inside", lambda: open(allowed / "new", "wb").close())
attempt("write outside", lambda: open(outside + ".new", "wb").close())
attempt("remove inside", lambda: os.unlink(allowed / "manifest.json"))
attempt("run", lambda: os.execv("/bin/sh", ["sh", "-c", "echo escaped"]))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close())
attempt("bind", lambda: socket.socket().bind(("127.0.0.1", 0)))
attempt("signal", lambda: os.kill(os.getppid(), 0))
import decimal, xml.dom.minidom
results["lazy import"] = "allowed"
print(json.dumps(results))
"""


@pytest.mark.sandbox
def test_sandbox_leaves_only_reading_the_package(folder: Path, tmp_path: Path) -> None:
    """Inside, the package can be read and modules imported; files, programs and TCP are out of reach."""
    outside = tmp_path / "secret"
    outside.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        arguments = [str(SOURCE), str(folder), str(outside), str(port)]
        run = subprocess.run(
            [sys.executable, "-I", "-c", SANDBOXED, *arguments], stdout=subprocess.PIPE, check=True
        )
    results = json.loads(run.stdout)

    allowed = {name for name, outcome in results.items() if outcome == "allowed"}

    assert (results["level"], results["notes"]) == ("full", [])
    assert allowed == {"read inside", "lazy import"}
    assert results["connect"] == results["read outside"] == os.strerror(13)


def test_worker_reports_the_level_it_reached(worker: ModelWorker) -> None:
    """The level is stated with what is missing from it, and no_new_privs is set in the process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines())

    assert status["NoNewPrivs"].strip() == "1"
    assert (worker.sandbox_level == "full") == (worker.ready.notes == ())


def test_worker_sees_nothing_of_the_parents_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret in the parent's environment is not in the worker's."""
    monkeypatch.setenv("PADDOCK_SECRET", "canary")
    with ModelWorker(folder) as worker:
        environment = Path(f"/proc/{worker.pid}/environ").read_bytes()

    assert b"canary" not in environment
    assert b"OMP_NUM_THREADS=1" in environment
