"""What holds for the whole package and import-linter cannot say."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "paddock"
HEAVY = (
    "numpy",
    "pyarrow",
    "sklearn",
    "skops",
    "pandas",
    "plotly",
    "psycopg",
    "starlette",
    "uvicorn",
    "httpx",
)
OPEN_ROOMS = ("kernel", "wire")  # their files are their front doors
LONGEST_FILE = 500


def test_importing_paddock_loads_nothing_heavy():
    """`import paddock` costs nobody the time of the libraries that only some calls need."""
    assert loaded_by("import paddock", HEAVY) == []


def test_help_loads_nothing_heavy():
    """`paddock --help` answers without the libraries that only some commands need."""
    program = "import sys, contextlib; sys.argv = ['paddock', '--help']; from paddock.cli import main\n"
    program += "with contextlib.redirect_stdout(None), contextlib.suppress(SystemExit): main()"

    assert loaded_by(program, HEAVY) == []


@pytest.mark.parametrize(
    "room", ["paddock.serving.gateway", "paddock.models.worker", "paddock.prediction_log"]
)
def test_answering_never_loads_the_store(room):
    """What answers predictions does not load the metadata store, not even through a front door."""
    assert loaded_by(f"import {room}", ("paddock.metadata", "apsw", "psycopg")) == []


def test_other_rooms_are_entered_by_the_front_door():
    """A room imports another one from its package, never from a file in it."""
    past_the_door = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in PACKAGE.rglob("*.py")
        for name in imported_names(path)
        if len(name.split(".")) > 2 and name.split(".")[1] not in (room_of(path), *OPEN_ROOMS)
    ]

    assert past_the_door == []


def test_every_room_stands_in_the_layers():
    """The layers name the rooms that exist, each once and none as optional."""
    rooms = {path.stem for path in PACKAGE.iterdir() if is_module(path)}
    declared = [room.strip() for layer in contract("layers")["layers"] for room in layer.split("|")]

    assert sorted(declared) == sorted(rooms)


def test_every_sql_file_is_protected():
    """The SQL of each room has a contract that lets only its service in."""
    files = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for pattern in ("**/sql.py", "**/sql/__init__.py")
        for path in PACKAGE.glob(pattern)
    }
    contracts = {entry["protected_modules"][0] for entry in contracts_of_type("protected")}

    assert contracts == files


def test_files_stay_short():
    """A file is one noun; beyond 500 lines it is two."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")
    }

    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def loaded_by(program: str, names: tuple[str, ...]) -> list[str]:
    """Return those of `names` that a fresh Python has loaded after `program`."""
    report = f"{program}\nimport sys; sys.stderr.write(' '.join(n for n in {names!r} if n in sys.modules))"
    result = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stderr.split()


def imported_names(path: Path) -> Iterator[str]:
    """Yield the modules of Paddock that a file names in its imports, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (name for name in names if name.startswith("paddock."))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def is_module(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")


def contracts_of_type(kind: str) -> list[dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return [entry for entry in settings["contracts"] if entry["type"] == kind]


def contract(identity: str) -> dict[str, list[str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return next(entry for entry in settings["contracts"] if entry["id"] == identity)
