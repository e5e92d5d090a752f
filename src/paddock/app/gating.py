"""Holding the gate of a version when a person asks for it: golden requests, unseen rows, declared gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paddock.app.endpoints import gateway_options
from paddock.app.loops import read_declaration
from paddock.automation import Rehearsal, rehearse
from paddock.evaluation import GateReport, GateSpec, SliceSpec, Trial, check_spec, score_rows, slice_table
from paddock.kernel.errors import InvalidInput, InvalidSettings, NotFound, VerificationFailed
from paddock.kernel.names import nearest
from paddock.kernel.refs import DatasetRef, ModelVersionRef, parse_ref
from paddock.metadata import once_for
from paddock.models import WorkerPool, verify_worker

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.datasets import DatasetVersion
    from paddock.kernel.digest import Digest
    from paddock.metadata import Transaction
    from paddock.registry import ModelVersion

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exam:
    """What a version is asked.

    rows: a dataset version, `flights@2`, or `flights` for its newest; label: its column of 0 and 1, where
    rows without a label are left out; seed: of the resamples behind every interval.
    """

    rows: str
    label: str
    gates: tuple[GateSpec, ...]
    seed: int = 0


class _Held(msgspec.Struct, frozen=True):
    """What a gate that was held under a key came to."""

    version: int
    report_id: str


def find_gates(path: Path, model: str) -> tuple[GateSpec, ...]:
    """Return the gates that the file declares for `model`; empty without a file, or where it has none."""
    declared = read_declaration(path).model if path.is_file() else {}
    return declared[model].gates if model in declared else ()


def read_gates(path: Path, model: str) -> tuple[GateSpec, ...]:
    """Return the gates that the file declares for `model`; InvalidSettings when there are none."""
    gates = find_gates(path, model)
    if not gates:
        where = f"`{path.name}` of {path.resolve().parent}"
        raise InvalidSettings(
            f"no gates are declared for model `{model}` in {where}, and without one nothing passes",
            hint=f'[model.{model}] gates = [{{ metric = "roc_auc", at_least = 0.65 }}]',
        )
    return gates


def hold_gate(
    app: App, workers: WorkerPool, ref: ModelVersionRef | str, exam: Exam, *, key: str = ""
) -> GateReport:
    """Replay a version's golden requests, hold it against its gates, and let it stand on the report.

    Where another version is champion, both answer the same rows. A champion that was fitted on them is too
    sure of them, which counts against the candidate. A failed gate is a report, not an error. key: asked
    again under it, the report that was made is returned, whatever is champion by then. Raises InvalidInput
    for faulty gates, and for rows the version has seen or that cannot be judged, before anything is
    written, and VerificationFailed, which is recorded, when the golden requests are answered differently.
    """
    request = ("hold_gate", str(ref), exam)
    held = _find_held(app, key, request)
    if held is None:
        version = app.registry.get_packaged(ref)
        report = _examine(app, workers, version, exam)
        held = _keep(app, key, request, _Held(version.version, report.report_id))
    held_ref = ModelVersionRef(parse_ref("model", str(ref))[0], held.version)
    # under a key it is attached once: a report that the version was given since stays
    app.registry.attach_report(held_ref, held.report_id, key=f"{key}-attach" if key else "")
    report = app.evaluation.get_report(held.report_id)
    return msgspec.structs.replace(report, candidate_version=held.version)


def replay_golden(app: App, workers: WorkerPool, version: ModelVersion, *, key: str = "") -> str:
    """Replay a version's golden requests in a fresh worker, record what came of it, and return it in words.

    Raises VerificationFailed, after it was recorded, when they are answered differently.
    """
    found = verify_worker(workers.restart(version.package_digest))
    words = f"{found.checked_rows} golden requests answered as recorded" if found.passed else found.cause
    app.registry.record_verification(
        version.ref, passed=found.passed, cause=found.cause, words=words, key=key
    )
    if not found.passed:
        raise VerificationFailed(
            f"golden requests of {version.ref} are answered differently: {found.cause}",
            hint=f"paddock models show {version.ref}",
            problems=found.details,
        )
    return words


def check_unseen(
    version: ModelVersionRef, dataset: DatasetVersion, inputs: Mapping[DatasetRef, Digest]
) -> None:
    """Raise InvalidInput when `dataset` has the bytes of an input of the version, under whatever name."""
    known = next((ref for ref, digest in inputs.items() if digest == dataset.digest), None)
    if known is None:
        return
    same = "" if known == dataset.ref else f", which has the rows of `{dataset.ref}`"
    raise InvalidInput(
        f"{version} was made from `{known}`{same}; a gate needs rows that the model has not seen",
        hint="paddock data list",
    )


def labelled_rows(table: pa.Table, label: str, source: str) -> tuple[pa.Table, Floats]:
    """Return the rows of `table` that have a label, and their labels as 0.0 and 1.0.

    >>> rows, labels = labelled_rows(pa.table({"wind": [1, 2], "late": [True, None]}), "late", "flights@1")
    >>> rows.to_pydict(), labels.tolist()
    ({'wind': [1], 'late': [True]}, [1.0])
    """
    if label not in table.column_names:
        match = nearest(label, table.column_names)
        raise InvalidInput(
            f"`{source}` has no column `{label}`", hint=f"did you mean `{match}`" if match else ""
        )
    try:
        numbers = table[label].cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(
            f"column `{label}` of `{source}` holds {table[label].type}; labels are 0 and 1"
        ) from error
    is_known = pc.invert(pc.is_null(numbers, nan_is_null=True))
    rows = table.filter(is_known)
    if not rows.num_rows:
        raise InvalidInput(f"`{source}` has no row with a `{label}`")
    labels = np.asarray(numbers.filter(is_known).to_numpy(), dtype=np.float64)
    other = labels[~np.isin(labels, (0.0, 1.0))]
    if len(other):
        raise InvalidInput(f"column `{label}` of `{source}` holds {other[0]:.6g}; labels are 0 and 1")
    return rows, labels


def slices_of(gates: Sequence[GateSpec]) -> tuple[SliceSpec, ...]:
    """Return each column that a gate asks about, once.

    >>> slices_of([GateSpec(metric="f1", slice="origin", at_least=0.5), GateSpec(latency_p99_ms=20)])
    (SliceSpec(column='origin', min_rows=100, quantiles=0),)
    """
    return tuple(SliceSpec(name) for name in dict.fromkeys(spec.slice for spec in gates if spec.slice))


def _inputs_of(app: App, version: ModelVersion) -> Mapping[DatasetRef, Digest]:
    """Return what the version was registered with and what its run has read, with their digests."""
    used = app.tracking.get_run(version.run_id).inputs if version.run_id else ()
    refs = dict.fromkeys((*version.datasets, *(each.dataset for each in used)))
    return {ref: app.datasets.get(str(ref)).digest for ref in refs}


def _examine(app: App, workers: WorkerPool, version: ModelVersion, exam: Exam) -> GateReport:
    """Judge a version on the rows of its exam and store the report."""
    _check_gates(exam.gates)
    dataset = app.datasets.get(exam.rows)
    check_unseen(version.ref, dataset, _inputs_of(app, version))
    rows, labels = labelled_rows(app.datasets.read(str(dataset.ref)), exam.label, str(dataset.ref))
    slices = slice_table(rows, slices_of(exam.gates))
    replay_golden(app, workers, version)
    champion = _champion_beside(app, version)
    rehearsal = _rehearse(app, version, rows, exam.gates)
    trial = Trial(
        model=version.name,
        candidate_digest=version.package_digest,
        labels=labels,
        candidate_scores=score_rows(workers.get(version.package_digest), rows),
        champion_scores=score_rows(workers.get(champion.package_digest), rows) if champion else None,
        champion_version=champion.version if champion else 0,
        slices=slices,
        datasets=(dataset.ref,),
        latency_p99_ms=rehearsal.latency_p99_ms if rehearsal else None,
        latency_requests=rehearsal.requests if rehearsal else 0,
        seed=exam.seed,
    )
    return app.evaluation.judge(trial, exam.gates)


def _find_held(app: App, key: str, request: object) -> _Held | None:
    """Return what was held under `key`, None when nothing was."""

    def not_yet(_: Transaction) -> _Held:
        raise NotFound("no gate was held under this key")

    if not key:
        return None
    try:
        return app.metadata.write(not_yet, once=once_for(app.actor, key, request, _Held))
    except NotFound:
        return None


def _keep(app: App, key: str, request: object, held: _Held) -> _Held:
    """Keep what was held under `key`, unless another call was faster; return what is kept."""
    once = once_for(app.actor, key, request, _Held)
    return app.metadata.write(lambda _: held, once=once) if once else held


def _check_gates(gates: Sequence[GateSpec]) -> None:
    problems = tuple(
        f"gate {number}: {fault}" for number, spec in enumerate(gates, start=1) for fault in check_spec(spec)
    )
    if problems:
        raise InvalidInput("; ".join(problems), problems=problems)


def _champion_beside(app: App, version: ModelVersion) -> ModelVersion | None:
    """Return the champion, None when there is none that could answer or when it is this version."""
    try:
        champion = app.registry.get(f"{version.name}@champion")
    except NotFound:
        return None
    return None if champion.version == version.version or not champion.has_package else champion


def _rehearse(app: App, version: ModelVersion, rows: pa.Table, gates: Sequence[GateSpec]) -> Rehearsal | None:
    """Measure the version in a gateway of its own, if a gate asks how fast it answers."""
    if all(spec.latency_p99_ms is None for spec in gates):
        return None
    return rehearse(version, rows, app.objects, options=gateway_options(app, version.name, 0))
