"""Every block of code in the README and the guides does what it says."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/guides/*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# ([\w-]+\.(?:toml|py))\n")
BIN = Path(sys.executable).parent
TIMEOUT_S = 300
UP = "paddock up\n"


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

    A block whose first line is the name of its file stands there from then on. `paddock up` in a block of
    its own is started, and ends with the page.
    """
    with ExitStack() as stack:
        place = Place(tmp_path, free_ports(2))
        for block in read_blocks(page):
            if named := FILE_NAME.match(block.body):
                (tmp_path / named[1]).write_text(place.put_ports(block.body))
            elif block.language == "python":
                assert place.run([sys.executable, "-c", block.body]) == block.output, f"line {block.line}"
            elif block.language == "sh" and block.body == UP:
                stack.enter_context(place.started(["paddock", "up"]))
            for command, output in console_steps(block):
                assert place.run(["sh", "-c", command]) == output, f"line {block.line}: {command}"


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


@dataclass(frozen=True, slots=True)
class Place:
    """An empty folder, with the environment's commands on the path, as a reader has it.

    ports: of the pages and of the first gateway, in place of 8321 and 8322, which may be taken here.
    """

    folder: Path
    ports: tuple[int, ...]

    def put_ports(self, text: str) -> str:
        for usual, port in zip((8321, 8322), self.ports, strict=True):
            text = text.replace(f":{usual}", f":{port}")
        return text

    def run(self, command: list[str]) -> str:
        """Run a program to its end and return what it printed."""
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    @contextmanager
    def started(self, command: list[str]) -> Iterator[None]:
        """Let a program run that ends with Ctrl-C; begin when its endpoints can be asked."""
        names = ("PADDOCK_PORT", "PADDOCK_GATEWAY_PORT")
        ports = {name: str(port) for name, port in zip(names, self.ports, strict=True)}
        log = (self.folder / "up.log").open("wb")
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self._environment(), **ports, "PADDOCK_LOOP_PORT": "0"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_ready(process)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT_S)
            log.close()

    def _wait_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + TIMEOUT_S
        for port, path in zip(self.ports, ("/health", "/v2/health/ready"), strict=True):
            while not answers(port, path):
                assert process.poll() is None, (self.folder / "up.log").read_text()
                assert time.monotonic() < deadline, (self.folder / "up.log").read_text()
                time.sleep(0.1)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PADDOCK_")}
        return inherited | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def answers(port: int, path: str) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status == 200
    except OSError:  # not yet
        return False


def free_ports(count: int) -> tuple[int, ...]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(each.getsockname()[1] for each in sockets)
