"""Packages: equal content has an equal digest, files are checked, the frozen manifest still decodes."""

import json
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace
from sklearn.linear_model import LogisticRegression

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IntegrityError, InvalidInput, NotFound, StoreTooNew
from paddock.models import (
    Column,
    Output,
    Package,
    Signature,
    build_package,
    decode_golden,
    encode_rows,
    load_manifest,
    load_package,
    materialize_package,
    parse_manifest,
    save_package,
)
from paddock.models.records import GOLDEN_FILE, MODEL_FILE
from paddock.objects import MemoryBackend, ObjectStore

FROZEN = Path(__file__).parents[2] / "frozen"
FROZEN_DIGEST = "b7fae363c0f40b026a7d68a26a0d9eb113198a9f09228dece98ef7da6decc007"


def test_same_content_has_the_same_digest(trained: SimpleNamespace, package: Package) -> None:
    """Building twice from the same estimator and rows gives the same package."""
    again = build_package(
        trained.estimator, sample=trained.table, signature=trained.signature, features=trained.features
    )

    assert again.digest == package.digest
    assert again.files == package.files


def test_manifest_pins_the_types_of_gradient_boosting(package: Package) -> None:
    """The types skops does not trust by itself stand in the manifest."""
    assert package.manifest.types == (
        "functools.partial",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.utils.validation.check_array",
    )
    assert package.manifest.estimator == "HistGradientBoostingClassifier"
    assert any(line.startswith("scikit-learn==") for line in package.manifest.packages)


def test_stored_package_comes_back(package: Package, tmp_path: Path) -> None:
    """What is saved is loaded equal, and a folder of it has the digest it was asked by."""
    objects = ObjectStore(MemoryBackend())

    digest = save_package(objects, package)
    manifest = materialize_package(objects, digest, tmp_path / "package")

    assert digest == package.digest
    assert load_package(objects, digest) == package
    assert manifest == package.manifest == load_manifest(tmp_path / "package", digest=digest)
    assert sorted(path.name for path in (tmp_path / "package").iterdir()) == [
        "golden.msgpack",
        "manifest.json",
        "model.skops",
    ]


def test_damaged_folder_is_mended(package: Package, tmp_path: Path) -> None:
    """Materializing again replaces a file with other bytes."""
    objects = ObjectStore(MemoryBackend())
    digest = save_package(objects, package)
    materialize_package(objects, digest, tmp_path)
    (tmp_path / MODEL_FILE).write_bytes(b"torn")

    materialize_package(objects, digest, tmp_path)

    assert digest_bytes((tmp_path / MODEL_FILE).read_bytes()) == package.manifest.files[MODEL_FILE]


def test_manifest_cannot_name_a_path(package: Package, tmp_path: Path) -> None:
    """A manifest that names another file is refused before anything of that name is written."""
    objects = ObjectStore(MemoryBackend())
    digest = objects.put(b"x")
    hostile = replace(package.manifest, files={**package.manifest.files, "../evil": digest})
    save_package(objects, package)
    stored = objects.put(msgspec.json.encode(hostile, order="sorted"))

    with pytest.raises(IntegrityError, match="evil"):
        materialize_package(objects, stored, tmp_path / "package")
    assert not (tmp_path / "evil").exists()


def test_wrong_manifest_is_an_integrity_error(package_folder: Path) -> None:
    """A folder whose manifest has another digest, or none at all, is not taken for the package."""
    with pytest.raises(IntegrityError):
        load_manifest(package_folder, digest="0" * 64)
    with pytest.raises(NotFound):
        load_manifest(package_folder / "nothing")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": "other"}, IntegrityError),
        ({"format_version": 2, "unheard_of": 1}, StoreTooNew),
        ({"unheard_of": 1}, IntegrityError),
        ({"input": "pickle"}, IntegrityError),
        ({"model_format": "joblib"}, IntegrityError),
    ],
)
def test_manifest_is_read_strictly(
    package: Package, change: dict[str, object], error: type[Exception]
) -> None:
    """Another format, a newer version, an unknown key or value is an error of its own kind."""
    body = json.dumps({**json.loads(package.body), **change}).encode()

    with pytest.raises(error):
        parse_manifest(body)


def test_golden_rows_hold_what_training_saw(trained: SimpleNamespace, package: Package) -> None:
    """Golden requests are 64 raw rows with every category, their matrix and the estimator's answers."""
    golden = decode_golden(package.files[GOLDEN_FILE])

    assert golden.row_count == 64
    assert set(golden.rows()["carrier"]) == {"AA", "B6", "DL", "UA"}
    answers = trained.estimator.predict_proba(golden.matrix())[:, 1]
    assert np.array_equal(answers, golden.recorded_answers())


@pytest.mark.parametrize("body", [b"", b"\xc1", msgspec.msgpack.encode({"format_version": 1})])
def test_broken_golden_file_is_an_integrity_error(body: bytes) -> None:
    """Bytes that are no golden requests are told from a newer format."""
    with pytest.raises(IntegrityError):
        decode_golden(body)
    with pytest.raises(StoreTooNew):
        decode_golden(msgspec.msgpack.encode({"format_version": 2}))


def test_what_cannot_be_packaged_is_named(trained: SimpleNamespace) -> None:
    """A sample without a column or without rows, features of another shape, a missing method."""
    linear = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    table, signature = pa.table({"x": [0.0, 1.0]}), Signature((Column("x", "number"),))

    with pytest.raises(InvalidInput, match="lacks the columns `x`"):
        build_package(linear, sample=pa.table({"y": [0.0]}), signature=signature)
    with pytest.raises(InvalidInput, match="no rows"):
        build_package(linear, sample=table.slice(0, 0), signature=signature)
    with pytest.raises(InvalidInput, match="shape"):
        build_package(linear, sample=table, signature=signature, features=np.zeros((2, 2)))
    with pytest.raises(InvalidInput, match="no `predict_proba`"):
        build_package(object(), sample=table, signature=signature)
    labelled = Signature(signature.columns, Output(positive_label="yes"))
    with pytest.raises(InvalidInput, match="none of the classes"):
        build_package(linear, sample=table, signature=labelled)


def test_frozen_manifest_still_decodes() -> None:
    """The manifest of the first release is read, means the same and encodes to the same bytes."""
    body = (FROZEN / "model-package-v1.json").read_bytes()

    manifest = parse_manifest(body)

    assert Package(manifest, {}).digest == FROZEN_DIGEST
    assert manifest.signature.names == ("carrier", "hour", "month", "wind", "holiday")
    assert manifest.signature.columns[0].categories == ("AA", "B6", "DL", "UA")
    assert manifest.golden.row_count == 64
    assert manifest.input == "matrix"


def test_frozen_golden_requests_still_decode() -> None:
    """The golden requests of the first release are read and mean the same."""
    manifest = parse_manifest((FROZEN / "model-package-v1.json").read_bytes())
    body = (FROZEN / "model-golden-v1.msgpack").read_bytes()

    golden = decode_golden(body)

    assert digest_bytes(body) == manifest.files[GOLDEN_FILE]
    assert golden.matrix()[0].tolist() == [1.0, 17.0, 12.0, 11.582923047238587, 0.0]
    assert golden.recorded_answers()[0] == pytest.approx(0.83035663, abs=1e-8)
    assert np.array_equal(encode_rows(manifest.signature, golden.rows()), golden.matrix(), equal_nan=True)
