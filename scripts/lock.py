"""Write requirements/*.lock anew: names, versions and hashes, and no download address.

    .venv/bin/python scripts/lock.py [--upgrade]

dev.lock comes first; those of Paddock take its versions, so that one environment can serve for all of them.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEV = "requirements/dev.lock"
# lock -> the options that choose its content
LOCKS = {
    "dev": ("--universal", "--extra", "dev"),
    "demo": ("--universal", "--extra", "demo", "--constraints", DEV),
    "base": ("--universal", "--constraints", DEV),
    "build": ("--universal", "--group", "build", "--constraints", DEV),
    "lowest": ("--extra", "dev", "--resolution", "lowest-direct"),
    "mlflow": ("--universal", "requirements/mlflow.in"),
}
# these name what they are resolved from themselves
WITHOUT_PROJECT = ("build", "mlflow")


def main() -> None:
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    for name, choice in LOCKS.items():
        write(name, [*choice, *upgrade])


def write(name: str, options: list[str]) -> None:
    """Resolve one lock; the versions that it holds already stay where they still fit."""
    target = ROOT / "requirements" / f"{name}.lock"
    command = [f"{sysconfig.get_path('scripts')}/uv", "pip", "compile", "--quiet", "--generate-hashes"]
    command += ["--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--annotation-style", "line", "--custom-compile-command", "make lock", *options]
    source = [] if name in WITHOUT_PROJECT else ["pyproject.toml"]
    result = subprocess.run([*command, "--output-file", str(target), *source], cwd=ROOT)
    if result.returncode:
        sys.exit(f"error: requirements/{name}.lock could not be resolved")
    if "://" in target.read_text():
        sys.exit(f"error: requirements/{name}.lock holds a download address")


if __name__ == "__main__":
    main()
