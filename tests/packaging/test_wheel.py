"""The wheel alone is enough: installed with locked versions and run where no checkout is."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import environment
import pytest

ROOT = Path(__file__).parent.parent.parent
UV = Path(sys.executable).parent / "uv"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder], ROOT)
    return next(folder.glob("paddock-*.whl"))


def test_wheel_holds_what_the_package_needs(wheel):
    """The licence, the type marker and every file of the package that git keeps are in the wheel."""
    kept = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "src/paddock"], ROOT)
    expected = {name.removeprefix("src/") for name in kept.split() if (ROOT / name).is_file()}

    packed = set(zipfile.ZipFile(wheel).namelist())

    assert expected - packed == set()
    assert {name for name in packed if name.startswith("paddock/")} - expected == set()
    assert any(name.endswith("licenses/LICENSE") for name in packed)


@pytest.mark.timeout(600)
def test_without_extras_every_room_can_be_entered(wheel, tmp_path):
    """Without extras every room imports, the help is shown, and the demo names the extra that it needs."""
    folder = install(wheel, "base", tmp_path / "environment")
    rooms = sorted(path.parent.name for path in ROOT.glob("src/paddock/*/__init__.py"))
    program = "; ".join(f"import paddock.{room}" for room in rooms if room != "testing")

    run([folder / "bin" / "python", "-c", program], tmp_path)
    shown = run([folder / "bin" / "paddock", "--help"], tmp_path)
    refused = call([folder / "bin" / "paddock", "demo", "--no-serve"], tmp_path)

    assert "demo" in shown
    assert refused.returncode != 0
    assert "paddock[demo]" in refused.stderr


@pytest.mark.timeout(900)
def test_demo_runs_from_the_wheel(wheel, tmp_path):
    """`pip install 'paddock[demo]'` and `paddock demo` need no checkout."""
    folder = install(wheel, "demo", tmp_path / "environment")
    work = tmp_path / "work"
    work.mkdir()

    where = run([folder / "bin" / "python", "-c", "import paddock; print(paddock.__file__)"], work)
    command = [
        folder / "bin" / "paddock",
        "demo",
        "--until",
        "2013-04",
        "--no-serve",
        "--report",
        "report.json",
    ]
    run(command, work)

    report = json.loads((work / "report.json").read_text())
    assert Path(where.strip()).is_relative_to(folder)
    assert [month["month"] for month in report["months"]] == ["2013-04"]
    assert report["predictions"] > 0


def install(wheel: Path, lock: str, folder: Path) -> Path:
    """Make an environment of exactly this wheel and its locked dependencies, every hash checked.

    The set-up of the tests has left all packages in uv's cache; only an emptied cache asks the index.
    """
    venv.create(folder, with_pip=False)
    locked = ["--require-hashes", "--no-build-isolation"]
    install_packages(folder, ["install", *locked, "-r", ROOT / "requirements" / "build.lock"])
    install_packages(folder, ["sync", *locked, ROOT / "requirements" / f"{lock}.lock"])
    install_packages(folder, ["install", "--no-deps", wheel])
    return folder


def install_packages(folder: Path, words: list[str | Path]) -> None:
    verb, *rest = words
    command = [UV, "pip", verb, "--quiet", "--python", folder / "bin" / "python", *rest]
    variables = environment.uv_environment(sys.executable)
    if subprocess.run([*command, "--offline"], env=variables, capture_output=True).returncode:
        subprocess.run(command, env=variables, check=True)


def run(command: list[str | Path], folder: Path) -> str:
    result = call(command, folder)
    assert result.returncode == 0, result.stderr
    return result.stdout


def call(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder`, with nothing of this environment but the search path and the home."""
    variables = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
