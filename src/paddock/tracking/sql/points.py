"""Latest values, the tail and the chunks of metric points."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paddock.metadata import Reader, Row, SqlValue, Transaction
from paddock.tracking.records import MetricPoint
from paddock.tracking.sql.stamps import RunKey, Stamp

# below this many keys each is looked up by itself; beyond, all of the run are read at once
_FEW_KEYS = 20


@dataclass(frozen=True, slots=True)
class TailEnd:
    """How much the tail of a run holds."""

    batch_count: int
    point_count: int


@dataclass(frozen=True, slots=True)
class ChunkRow:
    chunk_no: int
    point_count: int


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk to be stored, with the range of its steps and times."""

    key: str
    chunk_no: int
    point_count: int
    steps: tuple[int, int]
    at_micros: tuple[int, int]
    body: bytes


def get_latest(reader: Reader, run_no: int, keys: Sequence[str] = ()) -> dict[str, MetricPoint]:
    """Return the latest point of each of these keys that has one; of every key when none is named."""
    params: dict[str, SqlValue] = {"run_no": run_no}
    where = ""
    if 0 < len(keys) <= _FEW_KEYS:
        names = {f"key_{place}": key for place, key in enumerate(keys)}
        params |= names
        where = f" AND key IN ({', '.join(f':{name}' for name in names)})"
    rows = reader.fetch_all(
        f"SELECT key, value, step, at FROM run_metrics WHERE run_no = :run_no{where} ORDER BY key",  # noqa: S608
        params,
    )
    return {str(row["key"]): _point(row) for row in rows}


def set_latest(tx: Transaction, run: RunKey, points: Iterable[MetricPoint], stamp: Stamp) -> None:
    """Take each point as the latest of its key."""
    tx.execute_many(
        """
        INSERT INTO run_metrics (run_no, key, experiment_no, value, step, at, principal)
        VALUES (:run_no, :key, :experiment_no, :value, :step, :at, :principal)
        ON CONFLICT (run_no, key) DO UPDATE SET
          value = excluded.value, step = excluded.step, at = excluded.at, principal = excluded.principal
        """,
        [
            {
                "run_no": run.run_no,
                "key": point.key,
                "experiment_no": run.experiment_no,
                "value": None if point.value != point.value else point.value,
                "step": point.step,
                "at": point.at_micros,
                "principal": stamp.actor.principal,
            }
            for point in points
        ],
    )


def insert_batch(tx: Transaction, run: RunKey, point_count: int, body: bytes, stamp: Stamp) -> TailEnd:
    """Append a batch to a run's tail and return what the tail holds then."""
    row = tx.fetch_one(
        """
        INSERT INTO metric_tail (run_no, batch_no, points_before, point_count, principal, received_at, body)
        SELECT :run_no,
               1 + COALESCE((SELECT batch_no FROM metric_tail WHERE run_no = :run_no
                             ORDER BY batch_no DESC LIMIT 1), 0),
               COALESCE((SELECT points_before + point_count FROM metric_tail WHERE run_no = :run_no
                         ORDER BY batch_no DESC LIMIT 1), 0),
               :point_count, :principal, :now, :body
        RETURNING batch_no, points_before
        """,
        {
            "run_no": run.run_no,
            "point_count": point_count,
            "principal": stamp.actor.principal,
            "now": stamp.at_micros,
            "body": body,
        },
    )
    assert row is not None, "an INSERT returns its row"
    return TailEnd(_whole(row["batch_no"]), _whole(row["points_before"]) + point_count)


def list_batches(reader: Reader, run_no: int) -> list[bytes]:
    """Return the bodies of a run's tail, oldest first."""
    rows = reader.fetch_all(
        "SELECT body FROM metric_tail WHERE run_no = :run_no ORDER BY batch_no", {"run_no": run_no}
    )
    return [_bytes(row["body"]) for row in rows]


def delete_batches(tx: Transaction, run_no: int) -> None:
    tx.execute("DELETE FROM metric_tail WHERE run_no = :run_no", {"run_no": run_no})


def list_chunk_sizes(reader: Reader, run_no: int) -> dict[str, list[ChunkRow]]:
    """Return number and size of every chunk of a run, by key and in order, without their points."""
    rows = reader.fetch_all(
        "SELECT key, chunk_no, point_count FROM metric_chunks WHERE run_no = :run_no ORDER BY key, chunk_no",
        {"run_no": run_no},
    )
    found: dict[str, list[ChunkRow]] = {}
    for row in rows:
        found.setdefault(str(row["key"]), []).append(
            ChunkRow(_whole(row["chunk_no"]), _whole(row["point_count"]))
        )
    return found


def list_chunks(reader: Reader, run_no: int, key: str, from_no: int = 0) -> list[tuple[int, bytes]]:
    """Return (count, body) of a key's chunks from number `from_no` on, in order."""
    rows = reader.fetch_all(
        """
        SELECT point_count, body FROM metric_chunks
        WHERE run_no = :run_no AND key = :key AND chunk_no >= :from_no ORDER BY chunk_no
        """,
        {"run_no": run_no, "key": key, "from_no": from_no},
    )
    return [(_whole(row["point_count"]), _bytes(row["body"])) for row in rows]


def delete_chunks(tx: Transaction, run_no: int, key: str, from_no: int) -> None:
    tx.execute(
        "DELETE FROM metric_chunks WHERE run_no = :run_no AND key = :key AND chunk_no >= :from_no",
        {"run_no": run_no, "key": key, "from_no": from_no},
    )


def insert_chunks(tx: Transaction, run_no: int, chunks: Iterable[NewChunk]) -> None:
    tx.execute_many(
        """
        INSERT INTO metric_chunks (run_no, key, chunk_no, point_count, min_step, max_step, min_at, max_at,
                                   body)
        VALUES (:run_no, :key, :chunk_no, :point_count, :min_step, :max_step, :min_at, :max_at, :body)
        """,
        [
            {
                "run_no": run_no,
                "key": chunk.key,
                "chunk_no": chunk.chunk_no,
                "point_count": chunk.point_count,
                "min_step": chunk.steps[0],
                "max_step": chunk.steps[1],
                "min_at": chunk.at_micros[0],
                "max_at": chunk.at_micros[1],
                "body": chunk.body,
            }
            for chunk in chunks
        ],
    )


def _point(row: Row) -> MetricPoint:
    value = row["value"]
    assert value is None or isinstance(value, int | float)
    number = float("nan") if value is None else float(value)
    return MetricPoint(str(row["key"]), number, _whole(row["step"]), _whole(row["at"]))


def _bytes(value: SqlValue) -> bytes:
    assert isinstance(value, bytes | memoryview)
    return bytes(value)


def _whole(value: SqlValue) -> int:
    assert isinstance(value, int)
    return value
