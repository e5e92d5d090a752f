"""Figures, images, tables and values as the bytes of a file."""

import io
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from paddock.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_COLORS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> color type: grey, grey and alpha, RGB, RGBA


@runtime_checkable
class MatplotlibFigure(Protocol):
    def savefig(self, fname: io.BytesIO, *, format: str) -> None: ...


@runtime_checkable
class PlotlyFigure(Protocol):
    def to_json(self) -> str | None: ...

    def to_html(self) -> str: ...

    def to_image(self, format: str) -> bytes: ...


@runtime_checkable
class PillowImage(Protocol):
    def save(self, fp: io.BytesIO, format: str) -> None: ...


Figure = MatplotlibFigure | PlotlyFigure
Columns = Mapping[str, Sequence[object]]


def path_at(path: str, step: int | None) -> str:
    """Return the path under which a file is kept as it was at `step`; by name is by step.

    >>> path_at("plots/roc.png", 3), path_at("plots/roc.png", None)
    ('plots/roc/step-000003.png', 'plots/roc.png')
    """
    if step is None:
        return path
    parts = PurePosixPath(path)
    return str(parts.with_suffix("") / f"step-{step:06d}{parts.suffix}")


def encode_figure(figure: Figure, path: str) -> bytes:
    """Return a figure of Matplotlib or plotly in the format that the ending of `path` names."""
    ending = _ending_of(path)
    try:
        if isinstance(figure, PlotlyFigure):
            if ending == "html":
                return figure.to_html().encode()
            return (figure.to_json() or "").encode() if ending == "json" else figure.to_image(format=ending)
        if isinstance(figure, MatplotlibFigure):
            target = io.BytesIO()
            figure.savefig(target, format=ending)
            return target.getvalue()
    except (ValueError, RuntimeError) as error:  # no such format, or not without a package that is not here
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InvalidInput(f"the figure cannot be written as `{path}`: {reason}") from error
    raise InvalidInput(f"`{type(figure).__name__}` is no figure; a figure is one of Matplotlib or plotly")


def encode_image(image: "PillowImage | npt.NDArray[np.generic]", path: str) -> bytes:
    """Return an image of Pillow, or an array, in the format that the ending of `path` names.

    An array is written as PNG: shape (rows, columns) or (rows, columns, 1 to 4 channels), whole numbers from
    0 to 255, or real ones from 0 to 1.
    """
    ending = _ending_of(path)
    if isinstance(image, PillowImage):
        target = io.BytesIO()
        try:
            image.save(target, format={"jpg": "jpeg"}.get(ending, ending))
        except (KeyError, OSError, ValueError) as error:
            raise InvalidInput(f"the image cannot be written as `{path}`: {error}") from error
        return target.getvalue()
    if ending != "png":
        raise InvalidInput(f"an array is written as PNG, and not as `{path}`")
    return _encode_png(_as_pixels(image))


def encode_table(table: object, path: str) -> bytes:
    """Return an Arrow table, a pandas frame, or columns as Parquet or CSV, as the ending of `path` says."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    target = io.BytesIO()
    writers = {"parquet": pyarrow.parquet.write_table, "csv": pyarrow.csv.write_csv}
    ending = _ending_of(path)
    if ending not in writers:
        raise InvalidInput(f"a table is written as `.parquet` or `.csv`, and not as `{path}`")
    try:
        if isinstance(table, Mapping):
            table = pa.table(dict(table))
        elif not isinstance(table, pa.Table):
            table = pa.Table.from_pandas(table, preserve_index=False)
        writers[ending](table, target)
    except (pa.ArrowException, AttributeError, TypeError) as error:
        raise InvalidInput(f"`{type(table).__name__}` cannot be written as a table: {error}") from error
    return target.getvalue()


def encode_values(values: Mapping[str, object]) -> bytes:
    """Return values as indented JSON; what JSON does not have is InvalidInput, NaN and infinity included.

    >>> encode_values({"auc": 0.5})
    b'{\\n  "auc": 0.5\\n}'
    """
    try:
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the values cannot be written as JSON: {error}") from error


def _ending_of(path: str) -> str:
    ending = PurePosixPath(path).suffix.removeprefix(".").lower()
    if not ending:
        raise InvalidInput(f"`{path}` has no ending that says in which format it is to be written")
    return ending


def _as_pixels(image: "npt.NDArray[np.generic]") -> "npt.NDArray[np.uint8]":
    """Return an array as bytes, shape (rows, columns, channels)."""
    import numpy as np

    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in _PNG_COLORS or 0 in array.shape:
        raise InvalidInput(f"an array of shape {np.shape(image)} is no image; (rows, columns, channels) is")
    if array.dtype.kind == "f":
        array = np.rint(np.nan_to_num(array) * 255)
    elif array.dtype.kind == "b":
        array = array * 255
    elif array.dtype.kind not in "iu":
        raise InvalidInput(f"an array of `{array.dtype}` is no image; numbers are")
    return np.clip(array, 0, 255).astype(np.uint8)


def _encode_png(pixels: "npt.NDArray[np.uint8]") -> bytes:
    rows, columns, channels = pixels.shape
    head = struct.pack(">IIBBBBB", columns, rows, 8, _PNG_COLORS[channels], 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)  # 0: the line is not filtered
    return (
        _PNG
        + _png_chunk(b"IHDR", head)
        + _png_chunk(b"IDAT", zlib.compress(lines))
        + _png_chunk(b"IEND", b"")
    )


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
