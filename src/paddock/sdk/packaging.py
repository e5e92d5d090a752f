"""From a fitted estimator to a registered version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import InvalidInput
from paddock.kernel.ids import RunId
from paddock.kernel.names import check_name
from paddock.kernel.refs import DatasetRef, ModelVersionRef
from paddock.sdk.ports import Store
from paddock.wire import structs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from paddock.models import Package, Signature


@dataclass(frozen=True, slots=True)
class ModelCandidate:
    """What `log_model` was given. git_commit: stands for the code where no function does."""

    estimator: object
    sample: "pa.Table"
    signature: "Signature | None"
    features: "npt.NDArray[np.float64] | None"
    code: Callable[..., object] | None
    git_commit: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from."""

    run_id: RunId
    inputs: Sequence[DatasetRef]
    refit_of: int


def register_model(
    store: Store, name: str, candidate: ModelCandidate, origin: Origin, *, key: str
) -> ModelVersionRef:
    """Store the candidate's package, then register it as the next version of `name`."""
    check_name("model", name)
    code_digest = _fingerprint(candidate.code)
    package = _build(candidate, code_digest)
    request = structs.RegisterVersion(
        package_digest=store.models.save_package(package),
        run_id=origin.run_id,
        refit_of=origin.refit_of,
        datasets=tuple(str(ref) for ref in origin.inputs),
        recipe=structs.Recipe(
            code_digest=code_digest,
            params_digest=_digest_pairs(store.runs.get(origin.run_id).params),
            environment_digest=digest_bytes("\n".join(package.manifest.packages).encode()),
        ),
    )
    version = store.models.register(name, request, key=key)
    return ModelVersionRef(version.name, version.version)


def _build(candidate: ModelCandidate, code_digest: str) -> "Package":
    from paddock.models import build_package, infer_signature

    return build_package(
        candidate.estimator,
        sample=candidate.sample,
        signature=candidate.signature or infer_signature(candidate.sample),
        features=candidate.features,
        code=code_digest or candidate.git_commit,
    )


def _digest_pairs(pairs: Mapping[str, str]) -> str:
    return digest_bytes("\n".join(f"{key}={pairs[key]}" for key in sorted(pairs)).encode())


def _fingerprint(code: Callable[..., object] | None) -> str:
    if code is None:
        return ""
    from paddock.pipelines import fingerprint

    found = fingerprint(code)
    if not found.digest:
        name = getattr(code, "__name__", repr(code))
        raise InvalidInput(f"the code of `{name}` has no fingerprint: {found.problem}")
    return found.digest
