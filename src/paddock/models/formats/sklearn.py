"""scikit-learn estimators as skops files with a pinned list of types.

A file is loaded only when its types are exactly those the manifest pins, and each of them may be pinned
at all. There is no other way in: no pickle, no joblib, no trusting of everything.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import msgspec
import numpy as np
import numpy.typing as npt

from paddock.kernel.errors import Forbidden, InvalidInput, UnreadableFile
from paddock.models.formats.archive import canonical_archive, read_schema
from paddock.models.formats.types import check_pinned_types, check_schema
from paddock.models.records import InputKind, Output, Signature

Vector = npt.NDArray[np.float64]


class Estimator(Protocol):
    """What Paddock asks of a fitted estimator beside `predict_proba` or `predict`."""

    def get_params(self, deep: bool = True) -> dict[str, object]: ...

    def set_params(self, **params: object) -> object: ...


def dump_estimator(estimator: Estimator) -> tuple[bytes, tuple[str, ...]]:
    """Return the skops bytes of a fitted estimator and the types to pin, sorted.

    Equal estimators give equal bytes. Raises Forbidden for a type no file may hold, and InvalidInput
    for an object skops cannot write.
    """
    skops = _import_skops()
    from skops.io.exceptions import UnsupportedTypeException

    try:
        body = canonical_archive(skops.dumps(estimator))
    except (UnsupportedTypeException, TypeError, RecursionError) as error:
        raise InvalidInput(
            f"a {type(estimator).__name__} cannot be written as a skops file: {error}"
        ) from error
    types = tuple(skops.get_untrusted_types(data=body))
    check_schema(read_schema(body))
    check_pinned_types(types)
    return body, types


def load_estimator(body: bytes, pinned: Sequence[str]) -> Estimator:
    """Return the estimator of a skops file whose types are exactly `pinned`.

    Call it in a worker process only: a wrong array inside can still crash native code.
    Raises Forbidden for types that differ from `pinned` or may not be held, UnreadableFile otherwise.
    """
    check_schema(read_schema(body))
    check_pinned_types(pinned)
    skops = _import_skops()
    try:
        found = skops.get_untrusted_types(data=body)
        if sorted(found) != sorted(pinned):
            odd = ", ".join(f"`{name}`" for name in sorted(set(found) ^ set(pinned))[:5])
            raise Forbidden(f"the types of the model file are not those of its manifest: {odd}")
        return cast(Estimator, skops.loads(body, trusted=list(pinned)))
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ImportError,
        RecursionError,
        EOFError,
    ) as error:
        raise UnreadableFile(f"the model file cannot be loaded: {error}") from error


def names_pandas(body: bytes) -> bool:
    """Tell whether a skops file mentions pandas, as one does whose parts hand frames on by `set_output`."""
    return b"pandas" in msgspec.json.encode(read_schema(body))


def limit_jobs(estimator: Estimator, threads: int) -> None:
    """Set every `n_jobs` inside to `threads`: a worker's threads are given, not the training machine's."""
    jobs = {name: threads for name in estimator.get_params() if name.rpartition("__")[2] == "n_jobs"}
    if jobs:
        estimator.set_params(**jobs)


class Answerer:
    """Answers a float64 matrix in the signature's order with one float64 a row."""

    def __init__(
        self, estimator: Estimator, signature: Signature, kind: InputKind, dtypes: Mapping[str, str]
    ) -> None:
        self._estimator = estimator
        self._signature = signature
        self._kind = kind
        self._dtypes = dtypes
        self._place = find_class(estimator, signature.output)

    def answer(self, matrix: Vector) -> Vector:
        """Return the answers, shape (rows,). Raises what the estimator raises."""
        given = matrix
        if self._kind == "frame":
            from paddock.models.formats.frame import make_frame

            order = getattr(self._estimator, "feature_names_in_", self._signature.names)
            given = make_frame(matrix, self._signature, self._dtypes, order)
        if self._signature.output.kind == "value":
            answers = self._estimator.predict(given)  # type: ignore[attr-defined]  # a regressor
        else:
            answers = self._estimator.predict_proba(given)[:, self._place]  # type: ignore[attr-defined]
        return np.ascontiguousarray(answers, dtype=np.float64)


def find_class(estimator: Estimator, output: Output) -> int:
    """Return the column of `predict_proba` that `output` asks for; -1 for a value.

    Raises InvalidInput when there is no such method, no such class, or more than two to choose from.
    """
    name = type(estimator).__name__
    method = "predict" if output.kind == "value" else "predict_proba"
    if not hasattr(estimator, method):
        raise InvalidInput(f"a {name} has no `{method}`, which the output `{output.name}` needs")
    if output.kind == "value":
        return -1
    classes = [str(label) for label in getattr(estimator, "classes_", ())]
    if not output.positive_label and len(classes) == 2:
        return 1
    if output.positive_label in classes:
        return classes.index(output.positive_label)
    listed = ", ".join(f"`{label}`" for label in classes[:10])
    raise InvalidInput(f"the positive label `{output.positive_label}` is none of the classes {listed}")


class _Skops(Protocol):
    def dumps(self, obj: object) -> bytes: ...

    def loads(self, data: bytes, trusted: list[str]) -> object: ...

    def get_untrusted_types(self, *, data: bytes) -> list[str]: ...


def _import_skops() -> _Skops:
    try:
        import skops.io
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"scikit-learn models need the package `{error.name}`", hint="pip install 'paddock[sklearn]'"
        ) from error
    return cast(_Skops, skops.io)
