"""Which types a skops file may hold: lists of what is allowed, never of what is forbidden."""

import re
from collections.abc import Iterable, Mapping, Sequence

from paddock.kernel.errors import Forbidden

# Classes of scikit-learn's estimator packages, told from functions by their capital letter. Packages
# that read files, fetch data or serve tests (datasets, utils, externals, conftest) are not here.
_SKLEARN_CLASS = re.compile(
    r"sklearn\.(?:_loss|calibration|cluster|compose|covariance|cross_decomposition|decomposition"
    r"|discriminant_analysis|dummy|ensemble|feature_selection|frozen|gaussian_process|impute|isotonic"
    r"|kernel_approximation|kernel_ridge|linear_model|manifold|metrics|mixture|model_selection|multiclass"
    r"|multioutput|naive_bayes|neighbors|neural_network|pipeline|preprocessing|random_projection"
    r"|semi_supervised|svm|tree)(?:\.[a-z_0-9]+)*\._?[A-Z]\w*"
)
# What fitted estimators hold beside their own classes: classes and functions that read and start nothing.
# `functools.partial` and `check_array` come with HistGradientBoosting's categorical columns, `asarray`
# with splines.
_SINGLE = frozenset(
    {
        "functools.partial",
        "numpy.dtype",
        "numpy.nan_to_num",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.interpolate._interpolate.interp1d",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
    }
)
# Everything else in a file is of these roots and trusted by skops itself (numbers, arrays, ufuncs,
# public estimators); skops refuses the rest of the roots unless it stands in the pinned list.
_ROOTS = frozenset({"sklearn", "numpy", "scipy"})
_STANDARD = frozenset(
    {
        *(f"builtins.{kind.__name__}" for kind in (bool, bytearray, bytes, complex, dict, float, int)),
        *(f"builtins.{kind.__name__}" for kind in (list, set, slice, str, tuple, type)),
        "collections.OrderedDict",
        "collections.defaultdict",
        "functools.partial",
    }
)
# MethodNode and OperatorFuncNode are left out: they reach attributes by a name the file chooses.
_LOADERS = frozenset(
    {
        "BytearrayNode",
        "BytesNode",
        "CachedNode",
        "ConstructorFromReduceNode",
        "DTypeNode",
        "DefaultDictNode",
        "DictNode",
        "FunctionNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "MaskedArrayNode",
        "NdArrayNode",
        "ObjectNode",
        "PartialNode",
        "RandomGeneratorNode",
        "RandomStateNode",
        "SetNode",
        "SliceNode",
        "SparseMatrixNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
    }
)

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def is_allowed_type(name: str) -> bool:
    """Whether a manifest may pin the type `name`, one that skops does not trust by itself.

    >>> is_allowed_type("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor")
    True
    >>> is_allowed_type("posix.system") or is_allowed_type("numpy.testing._private.utils.runstring")
    False
    """
    return name in _SINGLE or _SKLEARN_CLASS.fullmatch(name) is not None


def check_pinned_types(names: Iterable[str]) -> None:
    """Raise Forbidden naming every type that no manifest may pin."""
    refused = sorted(name for name in names if not is_allowed_type(name))
    if refused:
        raise Forbidden(
            f"the model holds {_list(refused)}, which a model file may not hold",
            hint="build the model from scikit-learn's own estimators",
            problems=tuple(refused),
        )


def check_schema(schema: Json) -> None:
    """Raise Forbidden when a node of a skops schema is of a loader or a module that is not allowed.

    It looks at every node, also at those skops itself would trust. Nothing is imported.
    """
    refused: set[str] = set()
    waiting: list[Json] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            refused.update(_refused_parts(node))
            waiting.extend(node.values())
        elif isinstance(node, Sequence) and not isinstance(node, str):
            waiting.extend(node)
    if refused:
        names = sorted(refused)
        raise Forbidden(
            f"the model file holds {_list(names)}, which a model file may not hold", problems=tuple(names)
        )


def _refused_parts(node: Mapping[str, Json]) -> list[str]:
    if "__loader__" not in node:
        return []
    parts = []
    loader, module, name = node["__loader__"], node.get("__module__"), node.get("__class__")
    if loader not in _LOADERS:
        parts.append(f"{loader}")
    if loader != "CachedNode":
        full = f"{module}.{name}"
        if full not in _STANDARD and str(module).partition(".")[0] not in _ROOTS:
            parts.append(full)
    return parts


def _list(names: list[str]) -> str:
    shown = ", ".join(f"`{name[:120]}`" for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
