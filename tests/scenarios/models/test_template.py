"""Workers forked from a template, beside those that are spawned, and the pool that owns a template."""

import os
import select
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from paddock.models import (
    ModelWorker,
    Package,
    WorkerPool,
    build_package,
    infer_signature,
    materialize_package,
    save_package,
)
from paddock.models.worker.template import WorkerTemplate
from paddock.objects import MemoryBackend, ObjectStore

GONE_MS = 20_000


@pytest.fixture(scope="module")
def template() -> Iterator[WorkerTemplate]:
    with WorkerTemplate() as running:
        yield running


@pytest.fixture(scope="module")
def forked(package_folder: Path, package: Package, template: WorkerTemplate) -> Iterator[ModelWorker]:
    with ModelWorker(package_folder, digest=package.digest, template=template) as running:
        yield running


def parent_of(pid: int) -> int:
    return int(read_status(pid)["PPid"])


def read_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def list_open(pid: int) -> list[str]:
    """Return what the descriptors of a process stand for, without numbers."""
    return sorted(str(path.readlink()).split(":")[0] for path in Path(f"/proc/{pid}/fd").iterdir())


def test_forked_worker_answers_bit_for_bit_like_a_spawned_one(
    trained: SimpleNamespace, worker: ModelWorker, forked: ModelWorker, template: WorkerTemplate
) -> None:
    """The same package gives the same bits, whichever way its worker was started."""
    assert parent_of(forked.pid) == template.pid
    assert parent_of(worker.pid) == os.getpid()
    assert forked.predict(trained.features).tobytes() == worker.predict(trained.features).tobytes()


def test_forked_worker_is_locked_in_like_a_spawned_one(worker: ModelWorker, forked: ModelWorker) -> None:
    """Sandbox level, notes, limits, privileges, environment and open descriptors are the same."""
    spawned_status, forked_status = read_status(worker.pid), read_status(forked.pid)

    assert (forked.sandbox_level, forked.ready.notes) == (worker.sandbox_level, worker.ready.notes)
    for name in ("limits", "environ"):
        assert (
            Path(f"/proc/{forked.pid}/{name}").read_bytes() == Path(f"/proc/{worker.pid}/{name}").read_bytes()
        )
    for name in ("NoNewPrivs", "Threads", "SigIgn", "SigCgt", "SigBlk"):
        assert forked_status[name] == spawned_status[name]
    assert list_open(forked.pid) == list_open(worker.pid)
    assert os.getsid(forked.pid) == forked.pid
    assert Path(f"/proc/{forked.pid}/cwd").readlink() == Path("/")


def test_forked_worker_reports_what_a_spawned_one_does(worker: ModelWorker, forked: ModelWorker) -> None:
    """Package digest, Python and versions of a forked worker are those of a spawned one."""
    assert forked.ready.pid == forked.pid
    assert forked.ready.package_digest == worker.ready.package_digest
    assert (forked.ready.python, forked.ready.packages) == (worker.ready.python, worker.ready.packages)


def test_package_that_takes_frames_is_spawned(tmp_path: Path) -> None:
    """A template has scikit-learn without pandas, so it is not even started for a model fed with frames."""
    table = pa.table({"x": [0.0, 1.0, 2.0, 3.0]})
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    estimator = LogisticRegression().fit(frame, [0, 0, 1, 1])
    package = build_package(estimator, sample=table, signature=infer_signature(table))
    objects = ObjectStore(MemoryBackend())
    materialize_package(objects, save_package(objects, package), tmp_path)

    with WorkerTemplate() as template, ModelWorker(tmp_path, template=template) as worker:
        assert package.manifest.input == "frame"
        assert template.pid == 0
        assert parent_of(worker.pid) == os.getpid()
        assert np.array_equal(worker.predict(np.array([[2.0]])), estimator.predict_proba(frame[2:3])[:, 1])


def test_pool_forks_its_workers_from_one_template_and_ends_it(package: Package) -> None:
    """Start and restart have the same parent, which is gone when the pool is closed."""
    objects = ObjectStore(MemoryBackend())
    digest = save_package(objects, package)
    with WorkerPool(objects) as pool:
        first = pool.get(digest)
        parent = parent_of(first.pid)
        second = pool.restart(digest)

        assert parent != os.getpid()
        assert second.pid != first.pid
        assert parent_of(second.pid) == parent
        assert pool.get(digest) is second
        handle = os.pidfd_open(parent)

    poller = select.poll()
    poller.register(handle, select.POLLIN)
    assert poller.poll(GONE_MS)
    os.close(handle)


def test_pool_of_two_threads_spawns_its_workers(package: Package) -> None:
    """Libraries imported for two threads start one, and a process with threads is not forked."""
    objects = ObjectStore(MemoryBackend())
    digest = save_package(objects, package)

    with WorkerPool(objects, threads=2) as pool:
        assert parent_of(pool.get(digest).pid) == os.getpid()
