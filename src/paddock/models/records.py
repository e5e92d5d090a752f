"""Values of the models room: signature, manifest, package, report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from paddock.kernel.digest import Digest, digest_bytes

FORMAT: Literal["paddock-model-package"] = "paddock-model-package"
FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.skops"
GOLDEN_FILE = "golden.msgpack"

ColumnType = Literal["number", "integer", "boolean", "category"]
InputKind = Literal["matrix", "frame"]
SandboxLevel = Literal["full", "partial", "none"]
Scalar = str | int | float | bool | None


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input column.

    minimum, maximum: observed while fitting, None for a category; they describe and do not refuse.
    categories: of a category, sorted; the code of a category is its place here.
    required: whether a request must carry the column; an absent optional column is all missing.
    unknown_category: a category never seen is refused, or encoded like a missing value.
    """

    name: str
    type: ColumnType
    required: bool = True
    missing_allowed: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    unknown_category: Literal["error", "missing"] = "error"


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model answers: one float64 a row.

    kind `probability`: the column of `predict_proba` of the class that prints as `positive_label`
    (empty: the second of two classes). kind `value`: `predict`.
    """

    name: str = "probability"
    kind: Literal["probability", "value"] = "probability"
    positive_label: str = ""


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns a model asks for, in the order of the estimator's matrix, and its answer."""

    columns: tuple[Column, ...]
    output: Output = Output()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


class GoldenSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many golden rows a package holds, and between which answers."""

    row_count: int
    minimum: float
    maximum: float


class PackageManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one description of a package; its JSON bytes' digest is the package digest.

    No time and no name stand in it, so that equal content has an equal digest.
    input: `matrix` feeds the estimator float64, `frame` a pandas DataFrame of `frame_dtypes`.
    types: every type of the model file that skops does not trust by itself, sorted.
    packages: `name==version` of the environment the model was fitted in, sorted.
    files: digest of every file of the package but the manifest.
    code: digest or commit of the code that fitted it, or empty.
    """

    signature: Signature
    estimator: str
    types: tuple[str, ...]
    python: str
    packages: tuple[str, ...]
    files: dict[str, Digest]
    golden: GoldenSummary
    input: InputKind = "matrix"
    frame_dtypes: dict[str, str] = {}
    code: str = ""
    model_format: Literal["sklearn-skops"] = "sklearn-skops"
    format: Literal["paddock-model-package"] = FORMAT
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True, slots=True)
class Package:
    """A model ready to be stored: the manifest and the bytes of its files."""

    manifest: PackageManifest
    files: Mapping[str, bytes]

    @property
    def body(self) -> bytes:
        """The manifest as canonical JSON: keys sorted, no spaces."""
        return msgspec.json.encode(self.manifest, order="sorted")

    @property
    def digest(self) -> Digest:
        return digest_bytes(self.body)


@dataclass(frozen=True, slots=True)
class RowFault:
    """One fault of given rows; `words` names the column again."""

    column: str
    words: str


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """Whether a fresh worker gives the recorded answers to the golden rows, and why not.

    cause: one sentence, empty when passed; details: further sentences, such as environment differences.
    largest_difference: the largest absolute difference of an answer, 0 when none was compared.
    """

    passed: bool
    checked_rows: int
    cause: str
    details: tuple[str, ...]
    largest_difference: float
    sandbox_level: SandboxLevel
