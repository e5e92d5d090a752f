"""scikit-learn estimators through skops files, and what such a file may not hold."""

import json
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler

from paddock.kernel.errors import Forbidden, InvalidInput, LimitExceeded, UnreadableFile
from paddock.models import Output
from paddock.models.formats import archive
from paddock.models.formats.sklearn import dump_estimator, find_class, limit_jobs, load_estimator

RANDOM = np.random.default_rng(3)
FEATURES = np.column_stack([RANDOM.integers(0, 5, 200), RANDOM.normal(size=(200, 3))]).astype(float)
LABELS = (FEATURES[:, 1] + FEATURES[:, 0] > 2).astype(int)
ESTIMATORS = [
    HistGradientBoostingClassifier(max_iter=5, categorical_features=[True, False, False, False]),
    HistGradientBoostingRegressor(max_iter=5, loss="poisson"),
    CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=3), cv=2),
    make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
    make_pipeline(FunctionTransformer(np.cbrt), SplineTransformer(), SelectKBest(k=3), Ridge()),
    RandomForestClassifier(5, n_jobs=2, random_state=0),
    GradientBoostingRegressor(n_estimators=5),
    KNeighborsClassifier(),
    MLPClassifier(max_iter=400, solver="lbfgs"),
]


def answers_of(estimator: object) -> npt.NDArray[np.float64]:
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    return getattr(estimator, method)(FEATURES)


def hostile_file(node: dict[str, object]) -> bytes:
    body = BytesIO()
    with ZipFile(body, "w") as container:
        container.writestr("schema.json", json.dumps({**node, "protocol": 2, "_skops_version": "0.16.0"}))
    return body.getvalue()


def text_node(text: str) -> dict[str, object]:
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(text),
    }


def call_node(module: str, name: str, argument: str) -> dict[str, object]:
    arguments = {
        "__class__": "tuple",
        "__module__": "builtins",
        "__loader__": "TupleNode",
        "content": [text_node(argument)],
    }
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": "ConstructorFromReduceNode",
        "content": arguments,
    }


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_estimator_comes_back_with_the_same_answers(estimator: object) -> None:
    """A fitted estimator answers bit for bit the same after a round trip, and is equal bytes twice."""
    estimator.fit(FEATURES, LABELS)

    body, types = dump_estimator(estimator)
    again = dump_estimator(estimator)
    restored = load_estimator(body, types)

    assert again == (body, types)
    assert np.array_equal(answers_of(restored), answers_of(estimator))


@pytest.mark.parametrize(
    "pinned",
    [(), ("sklearn.tree._tree.Tree", "sklearn.svm._libsvm.X"), ("posix.system", "sklearn.tree._tree.Tree")],
)
def test_types_other_than_pinned_are_refused(pinned: tuple[str, ...]) -> None:
    """A file whose types are more or fewer than those pinned is not loaded."""
    body, types = dump_estimator(RandomForestClassifier(2).fit(FEATURES, LABELS))
    assert types == ("sklearn.tree._tree.Tree",)

    with pytest.raises(Forbidden):
        load_estimator(body, pinned)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"),
        ("os", "system"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy", "load"),
        ("scipy.io", "loadmat"),
        ("sklearn.datasets._base", "load_files"),
        ("sklearn.utils._testing", "TempMemmap"),
        ("sklearn.externals.joblib", "load"),
        ("sklearnx.evil", "Estimator"),
        ("pathlib", "Path"),
    ],
)
def test_hostile_type_is_refused_even_when_pinned(module: str, name: str) -> None:
    """A type that is no estimator part is refused by name, though the manifest pins it."""
    body = hostile_file(call_node(module, name, "touch /nowhere/canary"))

    with pytest.raises(Forbidden, match=name):
        load_estimator(body, (f"{module}.{name}",))


@pytest.mark.parametrize("loader", ["MethodNode", "OperatorFuncNode", "UnheardOfNode"])
def test_loader_outside_the_list_is_refused(loader: str) -> None:
    """A node kind that reaches attributes by name, or that nobody knows, is refused."""
    node = {"__class__": "Ridge", "__module__": "sklearn.linear_model._ridge", "__loader__": loader}

    with pytest.raises(Forbidden, match=loader):
        load_estimator(hostile_file(node), ())


def test_function_of_ones_own_is_refused_while_building() -> None:
    """A pipeline with a function from the training script cannot become a model file."""
    pipeline = make_pipeline(FunctionTransformer(answers_of), Ridge())

    with pytest.raises(Forbidden, match="answers_of"):
        dump_estimator(pipeline)


def archive_of(members: list[tuple[str, bytes]], compression: int = ZIP_STORED) -> bytes:
    body = BytesIO()
    with ZipFile(body, "w", compression) as container:
        for name, content in members:
            container.writestr(name, content)
    return body.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80\x04\x95",
        b"PK\x03\x04 and no more",
        archive_of([("1.npy", b"x")]),
        archive_of([("schema.json", b"[]")]),
        archive_of([("schema.json", b"{}")]),
        archive_of([("schema.json", b'{"a":' * 100_000)]),
        archive_of([("schema.json", b"{}"), ("../evil.npy", b"x")]),
        archive_of([("schema.json", b"{}"), ("evil.pkl", b"x")]),
        archive_of([("schema.json", b"{}"), ("1.npy", b"\0" * 10_000)], ZIP_DEFLATED),
    ],
    ids=["empty", "pickle", "cut", "no schema", "list", "no node", "deep", "path", "pickle member", "bomb"],
)
def test_wrong_container_is_unreadable(body: bytes) -> None:
    """Anything but a flat, uncompressed skops archive is refused before an object is made."""
    with pytest.raises(UnreadableFile):
        load_estimator(body, ())


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of members is bounded."""
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    body = archive_of([("schema.json", b"{}"), ("1.npy", b""), ("2.npy", b"")])

    with pytest.raises(LimitExceeded):
        load_estimator(body, ())


def test_jobs_become_the_workers_threads() -> None:
    """The `n_jobs` of the training machine is replaced, in nested estimators as well."""
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(2, n_jobs=-1))

    limit_jobs(pipeline, 1)

    assert pipeline[-1].n_jobs == 1


def test_positive_label_chooses_the_class() -> None:
    """The label is found by its text; a label that is no class is an error that lists them."""
    estimator = LogisticRegression().fit(FEATURES, np.where(LABELS, "late", "fine"))

    assert find_class(estimator, Output(positive_label="fine")) == 0
    assert find_class(estimator, Output()) == 1
    with pytest.raises(InvalidInput, match="`fine`, `late`"):
        find_class(estimator, Output(positive_label="yes"))
