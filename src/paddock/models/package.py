"""Build a package from a fitted estimator, store it by digest, and lay it out in a folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import IntegrityError, InvalidInput, NotFound
from paddock.models.encode import Matrix, encode_rows
from paddock.models.environment import installed_packages, python_version
from paddock.models.formats.frame import frame_dtypes
from paddock.models.formats.sklearn import Answerer, Estimator, dump_estimator
from paddock.models.golden import Golden, GoldenColumn, encode_golden, pick_rows
from paddock.models.manifest import parse_manifest
from paddock.models.records import (
    GOLDEN_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    GoldenSummary,
    InputKind,
    Package,
    PackageManifest,
    Scalar,
    Signature,
)

if TYPE_CHECKING:
    import pyarrow as pa


class PackageObjects(Protocol):
    """Bytes by digest; `paddock.objects.ObjectStore` is one. `get` verifies what it returns."""

    def put(self, body: bytes) -> Digest: ...

    def get(self, digest: Digest) -> bytes: ...


def build_package(
    estimator: object,
    *,
    sample: "pa.Table",
    signature: Signature,
    features: Matrix | None = None,
    packages: Sequence[str] = (),
    code: str = "",
) -> Package:
    """Return the package of a fitted scikit-learn estimator.

    sample: raw rows with the columns of the signature (others are passed over); up to 64 of them become
    golden requests. features: what the training code fed the estimator for these rows, shape
    (rows, columns); None when that is what the signature makes of them. packages: `name==version` of the
    environment, empty for the model libraries installed here. code: commit or digest of the code.
    An estimator fitted on a DataFrame (it has `feature_names_in_`) is fed DataFrames again.
    Raises Forbidden for types a model file may not hold, InvalidInput for what cannot be packaged.
    """
    fitted = cast(Estimator, estimator)
    recipe = _describe_input(fitted, sample, signature)
    golden = _record_golden(fitted, sample, recipe, features)
    model, types = dump_estimator(fitted)
    files = {MODEL_FILE: model, GOLDEN_FILE: encode_golden(golden)}
    answers = golden.recorded_answers()
    manifest = PackageManifest(
        signature=signature,
        estimator=_name_estimator(estimator),
        types=types,
        python=python_version(),
        packages=tuple(sorted(packages)) or installed_packages(),
        files={name: digest_bytes(body) for name, body in files.items()},
        golden=GoldenSummary(golden.row_count, float(answers.min()), float(answers.max())),
        input=recipe.kind,
        frame_dtypes=recipe.dtypes,
        code=code,
    )
    return Package(manifest, files)


def save_package(objects: PackageObjects, package: Package) -> Digest:
    """Store the files, then the manifest; return the manifest's digest, which names the package."""
    for name, body in package.files.items():
        digest = objects.put(body)
        if digest != package.manifest.files[name]:
            raise IntegrityError(f"`{name}` is not the file its manifest names", file=name)
    return objects.put(package.body)


def load_package(objects: PackageObjects, digest: Digest) -> Package:
    """Return a stored package with its files."""
    manifest = parse_manifest(objects.get(digest))
    files = {name: objects.get(file) for name, file in manifest.files.items()}
    return Package(manifest, files)


def materialize_package(objects: PackageObjects, digest: Digest, folder: Path) -> PackageManifest:
    """Write a stored package into `folder`, made if need be; the manifest is written last.

    A file that is already there with the right bytes is left alone.
    """
    body = objects.get(digest)
    manifest = parse_manifest(body)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, file in manifest.files.items():
        if name not in (MODEL_FILE, GOLDEN_FILE):
            raise IntegrityError(f"the manifest names a file `{name[:80]}`, which a package does not have")
        _write(folder / name, objects.get(file))
    _write(folder / MANIFEST_FILE, body)
    return manifest


def load_manifest(folder: Path, *, digest: str = "") -> PackageManifest:
    """Return the manifest of a package folder; IntegrityError when it is not the one of `digest`."""
    try:
        body = (folder / MANIFEST_FILE).read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"`{folder}` holds no model package") from error
    if digest and digest_bytes(body) != digest:
        raise IntegrityError(f"the manifest in `{folder}` is not that of package {digest[:12]}")
    return parse_manifest(body)


def read_package_file(folder: Path, manifest: PackageManifest, name: str) -> bytes:
    """Return the bytes of one file of a package folder; IntegrityError when they are not the manifest's."""
    try:
        body = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise IntegrityError(f"`{folder}` lacks `{name}`") from error
    if digest_bytes(body) != manifest.files.get(name):
        raise IntegrityError(f"`{name}` in `{folder}` is not the file its manifest names")
    return body


@dataclass(frozen=True, slots=True)
class _Recipe:
    signature: Signature
    kind: InputKind
    dtypes: dict[str, str]


def _describe_input(estimator: Estimator, sample: "pa.Table", signature: Signature) -> _Recipe:
    absent = [name for name in signature.names if name not in sample.column_names]
    if absent:
        raise InvalidInput(f"the sample lacks the columns {', '.join(f'`{name}`' for name in absent)}")
    if sample.num_rows == 0:
        raise InvalidInput("the sample has no rows; a package needs golden requests")
    fitted_on = getattr(estimator, "feature_names_in_", None)
    if fitted_on is None:
        return _Recipe(signature, "matrix", {})
    # scikit-learn compares names and order itself, so a frame always has those it was fitted on
    if set(fitted_on) != set(signature.names):
        odd = ", ".join(f"`{name}`" for name in sorted(set(fitted_on) ^ set(signature.names))[:5])
        raise InvalidInput(f"the signature and the columns the estimator was fitted on differ: {odd}")
    return _Recipe(signature, "frame", frame_dtypes(sample, signature))


def _record_golden(
    estimator: Estimator, sample: "pa.Table", recipe: _Recipe, features: Matrix | None
) -> Golden:
    signature = recipe.signature
    columns: dict[str, list[Scalar]] = {name: sample.column(name).to_pylist() for name in signature.names}
    places = pick_rows(columns, signature)
    rows = {name: [values[place] for place in places] for name, values in columns.items()}
    if features is None:
        matrix = encode_rows(signature, rows)
    else:
        if features.shape != (sample.num_rows, len(signature.columns)):
            raise InvalidInput(
                f"features have the shape {features.shape}, but the sample and the signature make "
                f"{(sample.num_rows, len(signature.columns))}"
            )
        matrix = np.ascontiguousarray(features[places], dtype=np.float64)
    answers = Answerer(estimator, signature, recipe.kind, recipe.dtypes).answer(matrix)
    if answers.shape != (len(places),) or not np.isfinite(answers).all():
        raise InvalidInput("the estimator does not answer each row of the sample with one finite number")
    return Golden(
        columns=tuple(GoldenColumn(name, tuple(values)) for name, values in rows.items()),
        row_count=len(places),
        features=matrix.astype("<f8").tobytes(),
        answers=answers.astype("<f8").tobytes(),
    )


def _name_estimator(estimator: object) -> str:
    """Return the class, and for a pipeline the class of its last step as well."""
    name = type(estimator).__name__
    steps = getattr(estimator, "steps", None)
    return f"{name}: {type(steps[-1][1]).__name__}" if steps else name


def _write(path: Path, body: bytes) -> None:
    """Write beside the target, sync and rename, so that no half file is ever found under its name."""
    if path.is_file() and path.read_bytes() == body:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
