"""A matrix back into the pandas DataFrame an estimator was fitted on; pandas is imported here only."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from paddock.models.records import Column, Signature

if TYPE_CHECKING:
    import pyarrow as pa


def frame_dtypes(sample: "pa.Table", signature: Signature) -> dict[str, str]:
    """Return the pandas dtype of each column: `category` for a dictionary column, else by its type."""
    import pyarrow as pa

    names = {"number": "float64", "integer": "int64", "boolean": "bool", "category": "str"}
    return {
        column.name: "category"
        if pa.types.is_dictionary(sample.schema.field(column.name).type)
        else names[column.type]
        for column in signature.columns
    }


def make_frame(
    matrix: npt.NDArray[np.float64],
    signature: Signature,
    dtypes: Mapping[str, str],
    order: Iterable[str],
) -> npt.NDArray[np.float64]:
    """Return the DataFrame of `matrix`, its columns in `order`.

    Typed as an array because scikit-learn takes either.
    """
    import pandas as pd

    columns = {
        column.name: _decode(matrix[:, place], column, dtypes.get(column.name, "float64"))
        for place, column in enumerate(signature.columns)
    }
    return cast("npt.NDArray[np.float64]", pd.DataFrame(columns, columns=list(order)))


def _decode(codes: npt.NDArray[np.float64], column: Column, dtype: str) -> object:
    import pandas as pd

    missing = np.isnan(codes)
    if dtype == "category":
        places = np.where(missing, -1, codes).astype(np.int64)
        return pd.Categorical.from_codes(places, categories=list(column.categories))
    if dtype == "str":
        texts = np.array([*column.categories, None], dtype=object)
        return pd.array(texts[np.where(missing, len(column.categories), codes).astype(np.int64)], dtype="str")
    if missing.any() or dtype == "float64":
        return codes
    return codes.astype(dtype)
