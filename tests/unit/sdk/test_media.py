"""Figures, images and tables as files."""

import io
import json
import struct
import zlib

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paddock.kernel.errors import InvalidInput
from paddock.sdk import media


class Drawing:
    """What Matplotlib's figures can do, of which this environment has none."""

    def savefig(self, fname: io.BytesIO, *, format: str) -> None:
        if format not in ("png", "svg"):
            raise ValueError(f"Format '{format}' is not supported.")
        fname.write(f"drawn as {format}".encode())


class Picture:
    """What images of Pillow can do."""

    def save(self, fp: io.BytesIO, format: str) -> None:
        if format == "odd":
            raise KeyError("ODD")
        fp.write(f"saved as {format}".encode())


def read_png(body: bytes) -> np.ndarray:
    """Return the pixels of a PNG as `encode_image` writes it, after checking every checksum."""
    assert body.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(body):
        (size,) = struct.unpack_from(">I", body, at)
        kind, data = body[at + 4 : at + 8], body[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", body, at + 8 + size) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    columns, rows, depth, color, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[color]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, 1 + columns * channels)
    assert (depth, lines[:, 0].tolist()) == (8, [0] * rows)
    return lines[:, 1:].reshape(rows, columns, channels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_array_becomes_a_png_with_its_pixels(channels: int):
    """Grey, grey with alpha, RGB and RGBA come back pixel by pixel."""
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, channels), dtype=np.uint8)

    assert np.array_equal(read_png(media.encode_image(pixels, "a.png")), pixels)


def test_numbers_become_pixels():
    """Real ones are from 0 to 1, whole ones from 0 to 255, flags are black and white; the rest is cut off."""
    real = read_png(media.encode_image(np.array([[0.0, 0.5, 1.0, 7.0, np.nan]]), "a.png"))
    whole = read_png(media.encode_image(np.array([[-5, 0, 128, 300]]), "a.png"))
    flags = read_png(media.encode_image(np.array([[True, False]]), "a.png"))

    assert real.ravel().tolist() == [0, 128, 255, 255, 0]
    assert whole.ravel().tolist() == [0, 0, 128, 255]
    assert flags.ravel().tolist() == [255, 0]


@pytest.mark.parametrize("shape", [(3,), (2, 2, 5), (0, 4), (1, 2, 3, 3)])
def test_what_has_no_rows_and_columns_is_no_image(shape: tuple[int, ...]):
    """The error says which shape it has."""
    with pytest.raises(InvalidInput, match="is no image"):
        media.encode_image(np.zeros(shape), "a.png")


def test_images_of_pillow_are_saved_as_their_path_says():
    """The ending names the format; one that cannot be written is told."""
    assert media.encode_image(Picture(), "a.jpg") == b"saved as jpeg"
    with pytest.raises(InvalidInput, match=r"cannot be written as `a\.odd`"):
        media.encode_image(Picture(), "a.odd")
    with pytest.raises(InvalidInput, match="is written as PNG"):
        media.encode_image(np.zeros((2, 2)), "a.jpg")


def test_figures_are_written_as_their_path_says():
    """A page or data of plotly, a drawing of Matplotlib; without an ending nobody knows as what."""
    figure = go.Figure(go.Scatter(y=[1, 2]))

    assert media.encode_figure(figure, "a.html").startswith(b"<!doctype html>")
    assert go.Figure(json.loads(media.encode_figure(figure, "a.json"))) == figure
    assert media.encode_figure(Drawing(), "a.svg") == b"drawn as svg"
    with pytest.raises(InvalidInput, match=r"Format 'gif' is not supported$"):
        media.encode_figure(Drawing(), "a.gif")
    with pytest.raises(InvalidInput, match="has no ending"):
        media.encode_figure(Drawing(), "plots/roc")
    with pytest.raises(InvalidInput, match="`dict` is no figure"):
        media.encode_figure({}, "a.png")  # type: ignore[arg-type]  # what a user may do


@pytest.mark.parametrize("kind", [pa.table, pd.DataFrame, dict])
def test_tables_of_every_kind_are_written_alike(kind):
    """Arrow, pandas and plain columns give the same Parquet and the same CSV."""
    table = kind({"carrier": ["UA", "AA"], "delay": [3.5, -1.0]})

    parquet = pq.read_table(pa.BufferReader(media.encode_table(table, "late.parquet")))
    assert parquet.to_pydict() == {"carrier": ["UA", "AA"], "delay": [3.5, -1.0]}
    assert media.encode_table(table, "late.csv") == b'"carrier","delay"\n"UA",3.5\n"AA",-1\n'


def test_what_is_no_table_is_refused():
    """Columns of different length, a text, and a format that no table is written in."""
    for table in ({"a": [1, 2], "b": [1]}, "carrier", 7):
        with pytest.raises(InvalidInput, match="cannot be written as a table"):
            media.encode_table(table, "late.csv")
    with pytest.raises(InvalidInput, match=r"`\.parquet` or `\.csv`"):
        media.encode_table({"a": [1]}, "late.xlsx")


@pytest.mark.parametrize("values", [{"a": float("nan")}, {"a": {1, 2}}, {"a": object()}])
def test_what_json_does_not_have_is_refused(values: dict[str, object]):
    """A file that another program could not read is not written."""
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        media.encode_values(values)


def test_steps_sort_as_they_count():
    """The paths of one file at many steps are in the order of the steps."""
    paths = [media.path_at("plots/roc.png", step) for step in (0, 9, 10, 999_999)]

    assert paths == sorted(paths)
