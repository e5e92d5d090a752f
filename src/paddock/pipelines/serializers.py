"""Values as bytes and back, without pickle: whoever can write to the store cannot make us run code.

Arrow tables are IPC files, NumPy arrays `.npy`, bytes and text themselves; everything else is a tree of plain
values, records and such leaves. Other types are taught by `register_serializer`.
"""

import io
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import check_name

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class NoSerializerError(Exception):
    """A value has no form as bytes; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Serializer:
    """name: stands in the store, so a changed form needs a new name. is_immutable: instances never change."""

    name: str
    matches: Callable[[object], bool]
    dump: Callable[[object], bytes]
    load: Callable[[bytes], object]
    is_immutable: bool = False


def register_serializer(
    matches: Callable[[object], bool],
    name: str,
    dump: Callable[[object], bytes],
    load: Callable[[bytes], object],
) -> None:
    """Teach this process to store one more type of value; a second one of the same name replaces the first.

    matches: cheap and without imports, as it is asked for every value that is not built in.
    dump: the same value must give the same bytes, or its dependants are never cached.
    """
    if check_name("serializer", name) in _BUILT_IN or name == "tree":
        raise InvalidInput(f"serializer `{name}` is built in")
    with _lock:
        _registered[name] = Serializer(name, matches, dump, load)


def dump_with(serializer: Serializer, value: object) -> bytes:
    """Return the value as bytes; whatever a serializer raises becomes NoSerializerError."""
    try:
        return serializer.dump(value)
    except Exception as error:  # foreign code
        raise NoSerializerError(f"serializer `{serializer.name}` failed: {error}") from error


def load_with(serializer: Serializer, body: bytes) -> object:
    """Return the value read from bytes; whatever a serializer raises becomes NoSerializerError."""
    try:
        return serializer.load(body)
    except Exception as error:  # foreign code
        raise NoSerializerError(f"serializer `{serializer.name}` failed: {error}") from error


def find_serializer(value: object) -> Serializer | None:
    """Return the serializer whose type this value is, or None."""
    for serializer in (*_BUILT_IN.values(), *tuple(_registered.values())):
        if serializer.matches(value):
            return serializer
    return None


def get_serializer(name: str) -> Serializer:
    """Return the serializer of that name, or raise NoSerializerError."""
    serializer = _BUILT_IN.get(name) or _registered.get(name)
    if serializer is None:
        raise NoSerializerError(f"no serializer `{name}` is registered in this process")
    return serializer


def _is_table(value: object) -> bool:
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(value, arrow.Table)


def _dump_table(value: object) -> bytes:
    import pyarrow as pa

    table = cast("pa.Table", value)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return cast(bytes, sink.getvalue().to_pybytes())


def _load_table(body: bytes) -> object:
    import pyarrow as pa

    return pa.ipc.open_file(pa.py_buffer(body)).read_all()


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    # exactly ndarray: a masked array or a matrix would come back as something else
    return numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject  # type: ignore[attr-defined]


def _is_scalar(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic) and not value.dtype.hasobject


def _dump_array(value: object) -> bytes:
    import numpy as np

    body = io.BytesIO()
    np.save(body, cast("np.ndarray[tuple[int, ...], np.dtype[np.generic]]", value), allow_pickle=False)
    return body.getvalue()


def _load_array(body: bytes) -> object:
    import numpy as np

    return np.load(io.BytesIO(body), allow_pickle=False)


def _load_scalar(body: bytes) -> object:
    import numpy as np

    return np.load(io.BytesIO(body), allow_pickle=False)[()]


_BUILT_IN: dict[str, Serializer] = {
    serializer.name: serializer
    for serializer in (
        Serializer("arrow", _is_table, _dump_table, _load_table, is_immutable=True),
        Serializer("numpy", _is_array, _dump_array, _load_array),
        Serializer("numpy-scalar", _is_scalar, _dump_array, _load_scalar, is_immutable=True),
        Serializer("bytes", lambda v: type(v) is bytes, lambda v: cast(bytes, v), lambda b: b, True),
        Serializer(
            "text", lambda v: type(v) is str, lambda v: cast(str, v).encode(), lambda b: b.decode(), True
        ),
    )
}
_registered: dict[str, Serializer] = {}
_lock = threading.Lock()
