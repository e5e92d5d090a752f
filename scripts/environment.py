"""Build a virtual environment that holds what a lock says, and nothing when it already does.

    python3 scripts/environment.py demo|dev|lowest|mlflow

The stamp is written last, so an interrupted set-up starts over. pip installs the build tools and uv from
requirements/build.lock; uv installs the rest, ten times faster than pip, from the same package index; pip
takes over where uv cannot (an index or a certificate that only pip knows of). Both check every hash.
Standard library only: this runs before anything is installed.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
FOLDERS = {"demo": ".venv", "dev": ".venv", "lowest": ".venv-lowest", "mlflow": ".venv-mlflow"}
# what is asked for -> which environments will do; dev.lock holds all of demo.lock in the same versions
GOOD_ENOUGH = {"demo": ("demo", "dev"), "dev": ("dev",), "lowest": ("lowest",), "mlflow": ("mlflow",)}
# the client of MLflow knows nothing of Paddock
WITHOUT_PADDOCK = ("mlflow",)


def main() -> None:
    kind = sys.argv[1]
    folder = ROOT / FOLDERS[kind]
    stamp = folder / "paddock-environment"
    with (ROOT / "pyproject.toml").open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # two makes at once: the second waits, then finds the stamp
        if stamp.is_file() and stamp.read_text() in map(fingerprint, GOOD_ENOUGH[kind]):
            return
        print(f"Setting up {folder.name} from requirements/{kind}.lock", flush=True)
        create(folder)
        install(folder, kind)
        stamp.write_text(fingerprint(kind))


def fingerprint(kind: str) -> str:
    """Return a text that changes with whatever the environment is built from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = [
        kind,
        str(ROOT),
        sys.version,
        sys.base_prefix,
        json.dumps([project["build-system"], project["project"]], sort_keys=True),
        *(lock.read_text() for lock in locks(kind)),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def locks(kind: str) -> list[Path]:
    return [REQUIREMENTS / "build.lock", REQUIREMENTS / f"{kind}.lock"]


def create(folder: Path) -> None:
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if subprocess.run(command).returncode:
        sys.exit("error: no virtual environment could be made\nhint: on Debian, apt-get install python3-venv")


def install(folder: Path, kind: str) -> None:
    build, wanted = locks(kind)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    locked = ["--require-hashes", "--no-build-isolation"]
    run([*pip, *locked, "-r", str(build)])

    uv = [str(folder / "bin" / "uv"), "pip", "sync", "--quiet", "--python", python]
    attempt = subprocess.run([*uv, *locked, str(build), str(wanted)], env=uv_environment(python))
    if attempt.returncode:
        print("uv could not install the packages; pip does it now", flush=True)
        run([*pip, *locked, "-r", str(wanted)])
    if kind not in WITHOUT_PADDOCK:
        run([*pip, "--no-build-isolation", "--editable", str(ROOT)])


def uv_environment(python: str) -> dict[str, str]:
    """Return the environment in which uv uses the index and certificates that pip is set up with."""
    listing = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    known = dict(re.findall(r"^[\w:.]*\.(index-url|cert)='(.*)'$", listing, re.MULTILINE))
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[key]: value for key, value in known.items()} | os.environ


def run(command: list[str]) -> None:
    code = subprocess.run(command).returncode
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
