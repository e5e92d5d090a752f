"""Scores for a gate, by the same worker that will serve the model."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from paddock.evaluation.metrics import FloatArray
from paddock.kernel.digest import Digest
from paddock.objects import ObjectStore

if TYPE_CHECKING:  # judging scores that are already there needs no worker
    from paddock.models import ModelWorker

BATCH_ROWS = 10_000


def score_package(
    objects: ObjectStore,
    package_digest: Digest,
    table: pa.Table,
    *,
    threads: int = 1,
    timeout_s: float = 30.0,
    batch_rows: int = BATCH_ROWS,
) -> FloatArray:
    """`score_rows` through a worker of a stored package, which is started for it and ended afterwards.

    The package is laid into a temporary folder; no model code runs in this process.
    """
    from paddock.models import ModelWorker, materialize_package

    with TemporaryDirectory(prefix="paddock-score-") as folder:
        materialize_package(objects, package_digest, Path(folder))
        with ModelWorker(Path(folder), digest=package_digest, threads=threads, timeout_s=timeout_s) as worker:
            return score_rows(worker, table, batch_rows=batch_rows)


def score_rows(worker: "ModelWorker", table: pa.Table, *, batch_rows: int = BATCH_ROWS) -> FloatArray:
    """Return the model's answer to each row of `table`, shape (rows,), in its order.

    Columns that the model does not know are passed over. Raises InvalidRows for rows that do not fit
    the signature, WorkerFailed when a batch takes longer than the worker's time limit.
    """
    known = [column for column in worker.manifest.signature.names if column in table.column_names]
    rows = table.select(known)
    answers: list[FloatArray] = []
    for start in range(0, rows.num_rows, batch_rows):
        batch = rows.slice(start, batch_rows).combine_chunks()
        answers.append(worker.predict_rows({column: _flat(batch.column(column)) for column in known}))
    return np.concatenate(answers) if answers else np.empty(0)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
