"""What importing the room brings with it."""

import subprocess
import sys
from pathlib import Path

import pytest

import paddock.models

SOURCE = Path(__file__).parents[3] / "src"


def loaded_by(program: str) -> set[str]:
    """Return the modules loaded in a fresh process after `program`."""
    program = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); {program}; print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_is_light() -> None:
    """The room itself loads no array and no learning library."""
    loaded = loaded_by("import paddock.models")

    assert loaded.isdisjoint({"numpy", "pyarrow", "sklearn", "skops", "pandas"})


def test_every_public_name_is_there_and_none_reaches_the_metadata_store() -> None:
    """All names of the front door can be had, and with all of them loaded there is no metadata room."""
    loaded = loaded_by("from paddock.models import *")

    assert "paddock.models.worker.async_client" in loaded
    assert loaded.isdisjoint({"paddock.metadata", "apsw", "psycopg", "sklearn", "skops", "pandas"})


def test_worker_side_loads_neither_arrow_nor_pandas() -> None:
    """What the worker process imports before it knows its model leaves the slow libraries out."""
    loaded = loaded_by("import paddock.models.worker.__main__")

    assert loaded.isdisjoint({"pyarrow", "pandas", "sklearn", "paddock.metadata"})


def test_unknown_name_is_an_attribute_error() -> None:
    """A name the room does not have is told like that of any module."""
    with pytest.raises(AttributeError, match="nothing"):
        paddock.models.nothing  # noqa: B018
