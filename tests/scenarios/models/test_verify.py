"""Golden requests through a fresh worker: a control passes, a planted fault is named."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from msgspec.structs import replace

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IntegrityError
from paddock.models import (
    Golden,
    Package,
    Signature,
    build_package,
    decode_golden,
    encode_golden,
    materialize_package,
    save_package,
    verify_package,
    verify_stored_package,
)
from paddock.models.records import GOLDEN_FILE, MODEL_FILE
from paddock.objects import MemoryBackend, ObjectStore


def build_with(trained: SimpleNamespace, signature: Signature) -> tuple[ObjectStore, str]:
    package = build_package(
        trained.estimator, sample=trained.table, signature=signature, features=trained.features
    )
    objects = ObjectStore(MemoryBackend())
    return objects, save_package(objects, package)


def with_golden(package: Package, golden: Golden, **changes: object) -> tuple[ObjectStore, str]:
    body = encode_golden(golden)
    manifest = replace(
        package.manifest, files={**package.manifest.files, GOLDEN_FILE: digest_bytes(body)}, **changes
    )
    objects = ObjectStore(MemoryBackend())
    return objects, save_package(objects, Package(manifest, {**package.files, GOLDEN_FILE: body}))


def test_control_passes(package_folder: Path, package: Package) -> None:
    """A package without a fault passes with every golden row checked and equal answers."""
    report = verify_package(package_folder, digest=package.digest)

    assert report.passed
    assert (report.checked_rows, report.cause, report.details) == (64, "", ())
    assert report.largest_difference == 0.0


def test_swapped_columns_are_named(trained: SimpleNamespace) -> None:
    """A signature with two columns in the wrong order is stopped, and the two are named."""
    carrier, hour, month, wind, holiday = trained.signature.columns
    swapped = Signature((carrier, month, hour, wind, holiday), trained.signature.output)

    report = verify_stored_package(*build_with(trained, swapped))

    assert not report.passed
    assert report.cause == "column order: `month` and `hour` are swapped"
    assert report.details[0].startswith("answers differ by up to ")


def test_changed_category_encoding_is_named(trained: SimpleNamespace) -> None:
    """A signature that numbers categories otherwise than training did is stopped, and one is named."""
    carrier, *rest = trained.signature.columns
    remapped = replace(carrier, categories=("B6", "AA", "DL", "UA"))

    report = verify_stored_package(*build_with(trained, Signature((remapped, *rest))))

    assert not report.passed
    assert report.cause == (
        "category encoding of `carrier`: `B6` was 1 in training and is 0 in serving, and 1 more categories"
    )


def test_category_missing_from_the_signature_is_named(trained: SimpleNamespace) -> None:
    """Golden rows the signature refuses fail the verification with the column and category."""
    carrier, *rest = trained.signature.columns
    fewer = replace(carrier, categories=("AA", "B6", "UA"))

    report = verify_stored_package(*build_with(trained, Signature((fewer, *rest))))

    assert not report.passed
    assert "`carrier` has no category `DL`" in report.cause


def test_other_answers_from_the_same_environment_are_measured(package: Package) -> None:
    """With an equal matrix and environment the cause is how far the answers differ."""
    golden = decode_golden(package.files[GOLDEN_FILE])
    answers = golden.recorded_answers()
    answers[3] += 0.25

    report = verify_stored_package(*with_golden(package, replace(golden, answers=answers.tobytes())))

    assert not report.passed
    assert report.cause == "answers differ by up to 0.25 in 1 of 64 rows"
    assert report.largest_difference == pytest.approx(0.25)


def test_other_answers_from_another_environment_name_the_package(package: Package) -> None:
    """With an equal matrix and another library version the environment is the cause."""
    golden = decode_golden(package.files[GOLDEN_FILE])
    answers = golden.recorded_answers() * 0.9
    packages = tuple(
        "numpy==1.26.0" if line.startswith("numpy==") else line for line in package.manifest.packages
    )

    report = verify_stored_package(
        *with_golden(package, replace(golden, answers=answers.tobytes()), packages=packages)
    )

    assert report.cause == f"environment: numpy was 1.26.0 in training and is {np.__version__} in serving"
    assert report.details[0].startswith("answers differ by up to ")


def test_other_environment_with_equal_answers_passes(package: Package) -> None:
    """A different library version alone does not fail a package; it is told in the details."""
    golden = decode_golden(package.files[GOLDEN_FILE])

    report = verify_stored_package(*with_golden(package, golden, python="3.11.0"))

    assert report.passed
    assert len(report.details) == 1
    assert report.details[0].startswith("python was 3.11.0 in training")


@pytest.mark.parametrize("name", [MODEL_FILE, GOLDEN_FILE])
def test_tampered_byte_is_an_integrity_error(package: Package, tmp_path: Path, name: str) -> None:
    """One flipped bit in a file of the folder is found by its digest, in the worker too."""
    objects = ObjectStore(MemoryBackend())
    materialize_package(objects, save_package(objects, package), tmp_path)
    body = bytearray((tmp_path / name).read_bytes())
    body[len(body) // 2] ^= 1
    (tmp_path / name).write_bytes(body)

    with pytest.raises(IntegrityError, match=name):
        verify_package(tmp_path)
