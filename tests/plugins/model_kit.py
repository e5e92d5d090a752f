"""A small table of flights, a signature of it, and gradient boosting fitted on its matrix."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from paddock.models import (
    ModelWorker,
    Package,
    build_package,
    encode_rows,
    infer_signature,
    materialize_package,
    save_package,
)
from paddock.objects import MemoryBackend, ObjectStore

ROWS = 400


@pytest.fixture(scope="session")
def trained() -> SimpleNamespace:
    """`table`, `signature`, the matrix `features` and the fitted `estimator`."""
    random = np.random.default_rng(7)
    table = pa.table(
        {
            "carrier": pa.array(random.choice(["UA", "AA", "DL", "B6"], ROWS)),
            "hour": pa.array(random.integers(5, 24, ROWS)),
            "month": pa.array(random.integers(1, 13, ROWS)),
            "wind": pa.array(random.normal(10, 4, ROWS), mask=random.random(ROWS) < 0.1),
            "holiday": pa.array(random.random(ROWS) < 0.2),
        }
    )
    signature = infer_signature(table)
    features = encode_rows(signature, {name: table[name] for name in table.column_names})
    labels = (features[:, 1] + 3 * features[:, 0] + random.normal(0, 3, ROWS) > 19).astype(np.int64)
    estimator = HistGradientBoostingClassifier(
        max_iter=20, categorical_features=[True, False, False, False, False], random_state=0
    ).fit(features, labels)
    return SimpleNamespace(table=table, signature=signature, features=features, estimator=estimator)


@pytest.fixture(scope="session")
def package(trained: SimpleNamespace) -> Package:
    return build_package(
        trained.estimator, sample=trained.table, signature=trained.signature, features=trained.features
    )


@pytest.fixture(scope="session")
def package_folder(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package laid out; read it, do not change it."""
    objects = ObjectStore(MemoryBackend())
    folder = tmp_path_factory.mktemp("package")
    materialize_package(objects, save_package(objects, package), folder)
    return folder


@pytest.fixture(scope="session")
def worker(package_folder: Path, package: Package) -> Iterator[ModelWorker]:
    """A running worker of the package, shared; do not end it."""
    with ModelWorker(package_folder, digest=package.digest) as running:
        yield running
