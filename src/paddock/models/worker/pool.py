"""A few workers at hand, so that one package is not started again for every question about it."""

import logging
from collections import OrderedDict
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from paddock.kernel.digest import Digest
from paddock.models.package import PackageObjects, materialize_package
from paddock.models.worker.client import ModelWorker
from paddock.models.worker.template import WorkerTemplate

_LOG = logging.getLogger(__name__)


class WorkerPool:
    """Workers by package digest, at most `limit` at a time; the one unused for longest makes room.

    The first start costs a second or two, most of it the import of scikit-learn; later ones are forked
    from a template that has done it, unless the package takes frames, `threads` is not 1, or the system
    is not Linux. A template that died ends its workers with it, and the next start makes another.
    Not safe to share between threads. Close it, or leave its `with` block, to end them all.
    """

    def __init__(
        self, objects: PackageObjects, *, limit: int = 2, threads: int = 1, timeout_s: float = 30.0
    ) -> None:
        self._objects = objects
        self._limit = limit
        self._threads = threads
        self._timeout_s = timeout_s
        self._workers: OrderedDict[Digest, tuple[ModelWorker, TemporaryDirectory[str]]] = OrderedDict()
        self._template: WorkerTemplate | None = None

    def get(self, digest: Digest) -> ModelWorker:
        """Return a worker of the package, started when there is none that is fit; raises as `ModelWorker`."""
        known = self._workers.get(digest)
        if known is not None and not known[0].has_failed:
            self._workers.move_to_end(digest)
            return known[0]
        self._drop(digest)
        return self._start(digest)

    def restart(self, digest: Digest) -> ModelWorker:
        """Return a fresh worker of the package."""
        self._drop(digest)
        return self._start(digest)

    def close(self) -> None:
        """End every worker and the template; `get` may start them again."""
        for digest in list(self._workers):
            self._drop(digest)
        self._close_template()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, digest: Digest) -> ModelWorker:
        while len(self._workers) >= self._limit:
            self._drop(next(iter(self._workers)))
        folder = TemporaryDirectory(prefix="paddock-worker-")
        try:
            materialize_package(self._objects, digest, Path(folder.name))
            worker = ModelWorker(
                Path(folder.name),
                digest=digest,
                threads=self._threads,
                timeout_s=self._timeout_s,
                template=self._find_template(),
            )
        except BaseException:
            folder.cleanup()
            raise
        self._workers[digest] = (worker, folder)
        return worker

    def _find_template(self) -> WorkerTemplate | None:
        """Return a template that is fit; its process starts with the first worker it forks."""
        if not WorkerTemplate.is_supported():
            return None
        failure = self._template.failure if self._template else None
        if failure is not None:
            _LOG.warning("worker.template_replaced", extra={"reason": failure.message})
            self._close_template()
        self._template = self._template or WorkerTemplate()
        return self._template

    def _close_template(self) -> None:
        if self._template is not None:
            self._template.close()
            self._template = None

    def _drop(self, digest: Digest) -> None:
        known = self._workers.pop(digest, None)
        if known is not None:
            known[0].close()
            known[1].cleanup()
