"""Every block of code in the README and the guide does what it says."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/guide/*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# ([\w-]+\.toml)\n")
BIN = Path(sys.executable).parent
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `output` is the `text` block that directly follows a program, else empty."""

    language: str
    body: str
    line: int
    output: str = ""


def read_blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    found = list(FENCE.finditer(text))
    for match, after in zip(found, [*found[1:], None], strict=True):
        follows = after is not None and text[match.end() : after.start()].strip() == "" and after[1] == "text"
        line = text.count("\n", 0, match.start()) + 1
        yield Block(match[1], match[2], line, after[2] if after is not None and follows else "")


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_block_names_its_language(page):
    """A block without a language, or in one that no test knows, would never be checked."""
    known = {"python", "console", "sh", "text", "toml", "json"}

    assert [(block.line, block.language) for block in read_blocks(page) if block.language not in known] == []


@pytest.mark.timeout(600)
def test_programs_print_what_the_page_shows(page, tmp_path):
    """Python and console blocks run, in order and in one folder for each page, and print what is shown.

    A TOML block whose first line is the name of its file stands there from then on.
    """
    for block in read_blocks(page):
        if block.language == "toml" and (named := FILE_NAME.match(block.body)):
            (tmp_path / named[1]).write_text(block.body)
        if block.language == "python":
            assert run([sys.executable, "-c", block.body], tmp_path) == block.output, f"line {block.line}"
        for command, output in console_steps(block):
            assert run(["sh", "-c", command], tmp_path) == output, f"line {block.line}: {command}"


def test_commands_exist(page):
    """Every command of an `sh` block has its make target, or its place in the `paddock` command line."""
    lines = [
        line for block in read_blocks(page) if block.language == "sh" for line in block.body.splitlines()
    ]
    unknown = [line for line in lines if line and not exists(shlex.split(line, comments=True))]

    assert unknown == []


def test_data_blocks_are_well_formed(page):
    """TOML and JSON blocks can be read."""
    readers = {"toml": tomllib.loads, "json": json.loads}
    for block in read_blocks(page):
        readers.get(block.language, str)(block.body)


def test_links_lead_somewhere():
    """A relative link of any page names a file that exists."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert broken == []


def console_steps(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each `$ command` of a console block with the output shown below it."""
    if block.language == "console":
        for step in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output


def exists(words: list[str]) -> bool:
    """Say whether a command line could be meant: `make` with known targets, or a known `paddock` command.

    A line that only enters a folder or copies this repository is taken as it is.
    """
    if not words or words[0] in ("cd", "git"):
        return True
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return all(word in targets or "=" in word for word in words[1:])
    if words[0] == "pip":
        return words[1] == "install"
    return words[0] == "paddock" and command_exists(words[1:])


def command_exists(words: list[str]) -> bool:
    """Say whether `paddock` has this command and every option named here."""
    names = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
    for depth in range(len(names), 0, -1):
        shown = subprocess.run([BIN / "paddock", *names[:depth], "--help"], capture_output=True, text=True)
        if shown.returncode == 0:
            return all(word in shown.stdout for word in words if word.startswith("--"))
    return False


def run(command: list[str], folder: Path) -> str:
    """Run a program as a reader would, in an empty folder with the environment's commands on the path."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PADDOCK_")}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command,
        cwd=folder,
        env=inherited | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
