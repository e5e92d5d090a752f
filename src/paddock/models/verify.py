"""Replay the golden requests of a package through a fresh worker, and name the cause of a difference."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from paddock.kernel.digest import Digest
from paddock.kernel.errors import InvalidInput
from paddock.models.encode import Matrix, check_rows, encode_rows
from paddock.models.environment import compare_packages
from paddock.models.golden import Golden, decode_golden
from paddock.models.package import (
    PackageObjects,
    materialize_package,
    read_package_file,
)
from paddock.models.records import GOLDEN_FILE, PackageManifest, VerificationReport
from paddock.models.rules import explain_answers, explain_matrix
from paddock.models.worker.client import ModelWorker

TOLERANCE = 1e-12


def verify_package(
    folder: Path, *, digest: str = "", timeout_s: float = 30.0, tolerance: float = TOLERANCE
) -> VerificationReport:
    """Return whether the package in `folder` answers its golden requests as recorded, and if not, why.

    The raw rows take the way of a request: encoded by the signature, answered by a new sandboxed
    worker. The matrix must equal the recorded one exactly, the answers within `tolerance` (relative,
    and absolute below 1). A package that differs is a normal answer; one that cannot be read or loaded
    raises as `ModelWorker` does.
    """
    with ModelWorker(folder, digest=digest, timeout_s=timeout_s) as worker:
        return verify_worker(worker, tolerance=tolerance)


def verify_worker(worker: ModelWorker, *, tolerance: float = TOLERANCE) -> VerificationReport:
    """`verify_package` through a worker that is there already; give it a fresh one."""
    manifest = worker.manifest
    golden = decode_golden(read_package_file(worker.folder, manifest, GOLDEN_FILE))
    environment = compare_packages(
        (*manifest.packages, f"python=={manifest.python}"),
        (*worker.ready.packages, f"python=={worker.ready.python}"),
    )
    findings = _replay(manifest, golden, worker, tolerance)
    causes = findings.causes
    if findings.wrong_answers and not causes:
        causes = tuple(f"environment: {words}" for words in environment) or (findings.wrong_answers,)
    answers = (findings.wrong_answers,) if findings.wrong_answers else ()
    details = tuple(dict.fromkeys((*causes[1:], *answers, *environment, *worker.ready.notes)))
    return VerificationReport(
        passed=not causes,
        checked_rows=golden.row_count,
        cause=causes[0] if causes else "",
        details=tuple(words for words in details if not causes or words != causes[0]),
        largest_difference=findings.largest,
        sandbox_level=worker.sandbox_level,
    )


def verify_stored_package(
    objects: PackageObjects, digest: Digest, *, timeout_s: float = 30.0, tolerance: float = TOLERANCE
) -> VerificationReport:
    """Lay a stored package out in a temporary folder and `verify_package` it."""
    with TemporaryDirectory(prefix="paddock-verify-") as folder:
        materialize_package(objects, digest, Path(folder))
        return verify_package(Path(folder), digest=digest, timeout_s=timeout_s, tolerance=tolerance)


@dataclass(frozen=True, slots=True)
class _Findings:
    causes: tuple[str, ...]
    wrong_answers: str
    largest: float


def _replay(manifest: PackageManifest, golden: Golden, worker: ModelWorker, tolerance: float) -> _Findings:
    signature, rows, recorded = manifest.signature, golden.rows(), golden.matrix()
    faults = check_rows(signature, rows)
    if faults:
        refused = tuple(f"the signature refuses a golden row: {fault.words}" for fault in faults)
        return _Findings(refused, "", 0.0)
    served = encode_rows(signature, rows)
    if recorded.shape != served.shape:
        words = f"training saw {recorded.shape[1]} columns, but the signature has {served.shape[1]}"
        return _Findings((words,), "", 0.0)
    causes = explain_matrix(signature, served, recorded)
    wrong, largest = _compare_answers(worker, served, golden, tolerance)
    return _Findings(causes, wrong, largest)


def _compare_answers(
    worker: ModelWorker, served: Matrix, golden: Golden, tolerance: float
) -> tuple[str, float]:
    try:
        answers = worker.predict(served)
    except InvalidInput as error:
        return error.message, 0.0
    return explain_answers(answers, golden.recorded_answers(), tolerance)
