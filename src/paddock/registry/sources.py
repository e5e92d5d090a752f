"""Which sources a version may have, as a text that is read by rules and never opened. Pure.

| source | taken when |
| --- | --- |
| `models:/m-<id>` | the logged model is there, and is the one that is named |
| `models:/<name>/<version>`, `@<alias>`, `/<stage>`, `/latest` | the version is there and is no prompt's |
| `runs:/<run id>/<path>` | the run is there, and is the one that is named |
| `mlflow-artifacts:/...` | it lies below the files of the run or logged model that is named |
| `s3:`, `gs:`, `dbfs:` and the like | the same, where the run's experiment keeps its files there |
| anything else: `file:`, paths, `http:`, `https:`, `ftp:` ... | never |
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from paddock.kernel.errors import InvalidInput

MAX_SOURCE_CHARACTERS = 1_024
# where a store keeps files that clients reach by themselves
STORE_SCHEMES = frozenset(
    ("s3", "gs", "r2", "b2", "oss", "wasb", "wasbs", "abfs", "abfss", "dbfs", "hdfs", "viewfs")
)
OWN_SCHEME = "mlflow-artifacts"
# what prompts have instead of a source
PROMPT_SOURCES = ("dummy-source", "prompt-template")

SourceKind = Literal["logged_model", "version", "run", "files"]
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_MODEL_ID = re.compile(r"[A-Za-z0-9][\w\-]{0,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """A source that was read.

    kind: what it names. owner: the logged model's id, the model's name or the run's id; empty for `files`.
    rest: the selector of a version as it was written (`7`, `@prod`, `Production`, `latest`), or the path in
    a run.
    """

    text: str
    kind: SourceKind
    owner: str = ""
    rest: str = ""


def parse_source(text: str) -> Source:
    """Return what a source says, or raise InvalidInput for one that no version may have.

    >>> parse_source("models:/m-0192f0c1").kind, parse_source("models:/delay@prod").rest
    ('logged_model', '@prod')
    >>> parse_source("http://169.254.169.254/")
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Invalid model version source: 'http://169.254.169.254/'. The server \
takes no `http` sources, only models:/, runs:/ and files of runs and logged models
    """
    scheme, rest = _split(text)
    if scheme == "models":
        return _parse_models(text, _own_path(text, rest))
    if scheme == "runs":
        run_id, _, path = _own_path(text, rest).partition("/")
        if not run_id or not path:
            raise refuse(text, "A source in a run is runs:/<run id>/<path>")
        return Source(text, "run", run_id, path)
    if scheme == OWN_SCHEME:
        _own_path(text, rest)
    elif scheme not in STORE_SCHEMES:
        words = f"no `{scheme}` sources" if scheme else "no paths"
        raise refuse(
            text, f"The server takes {words}, only models:/, runs:/ and files of runs and logged models"
        )
    return Source(text, "files")


def is_below(uri: str, root: str) -> bool:
    """Tell whether `uri` lies below `root`, once both are decoded; case counts, but for the scheme.

    >>> is_below("mlflow-artifacts:/1/ab/artifacts/model", "mlflow-artifacts:/1/ab/artifacts")
    True
    >>> is_below("s3://bucket/runs-of-others/x", "s3://bucket/runs")
    False
    """
    found, wanted = _parts(uri), _parts(root)
    return bool(wanted) and len(wanted) > 1 and found[: len(wanted)] == wanted


def is_among(text: str, uri: str, location: str) -> bool:
    """Tell whether files at `text` are those of one run or logged model, as far as clients were told.

    uri: below which its files lie; location: where its experiment keeps files, empty for the server itself.

    >>> is_among("s3://bucket/old/model", "s3://bucket/runs/ab/artifacts", "s3://bucket")
    True
    >>> is_among("s3://bucket/old/model", "mlflow-artifacts:/1/ab/artifacts", "")
    False
    """
    if _split(text)[0] == OWN_SCHEME:
        return is_below(text, uri)
    return bool(location) and is_below(text, location)


def is_reachable(uri: str) -> bool:
    """Tell whether a client may be sent to `uri`: it names this server or a store, and no machine's disk.

    >>> is_reachable("mlflow-artifacts:/1/ab/artifacts"), is_reachable("file:///tmp/runs/ab/artifacts")
    (True, False)
    """
    try:
        return parse_source(uri).kind == "files"
    except InvalidInput:
        return False


def refuse(text: str, words: str) -> InvalidInput:
    """Return the error of a source."""
    shown = text[:200] if text[:200].isprintable() else text[:200].encode("unicode_escape").decode()
    return InvalidInput(f"Invalid model version source: '{shown}'. {words}", parameter="source")


def _split(text: str) -> tuple[str, str]:
    """Return the scheme in lower case and what follows, after what holds for every source."""
    if not text.isprintable() or text != text.strip():
        raise refuse(text, "It holds a control character, or begins or ends in a space")
    if len(text) > MAX_SOURCE_CHARACTERS:
        raise refuse(text, f"It has more than {MAX_SOURCE_CHARACTERS:,} characters")
    match = _SCHEME.fullmatch(text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", text)
    plain = _decode(rest)
    if "?" in plain or "#" in plain or "\\" in plain or not plain.isprintable():
        raise refuse(text, "It holds one of `?`, `#`, a backslash or a control character")
    if any(part in (".", "..") for part in plain.split("/")):
        raise refuse(text, "An absolute path must be provided without relative path references present")
    return scheme, rest


def _own_path(text: str, rest: str) -> str:
    """Return the path behind `scheme:/`; another server is never named."""
    if not rest.startswith("/") or rest.startswith("//"):
        raise refuse(text, "A source of this server is written with one `/` and names no other server")
    return rest[1:]


def _parse_models(text: str, path: str) -> Source:
    name, slash, selector = path.partition("/")
    if slash:
        if not name or not selector or "/" in selector or "@" in selector:
            raise refuse(text, "A version is models:/<name>/<version> or models:/<name>@<alias>")
        return Source(text, "version", name, selector)
    name, at, alias = path.rpartition("@")
    if at and name and alias:
        return Source(text, "version", name, f"@{alias}")
    if not _MODEL_ID.fullmatch(path):
        raise refuse(text, "A logged model is models:/m-<id>")
    return Source(text, "logged_model", path)


def _parts(uri: str) -> tuple[str, ...]:
    match = _SCHEME.fullmatch(uri)
    if match is None:
        return ()
    authority = match[2].startswith("//")
    segments = tuple(_decode(part) for part in match[2].split("/") if part)
    return (f"{match[1].lower()}:{'//' if authority else '/'}", *segments)


def _decode(text: str) -> str:
    """Return `text` without its percent escapes, however often they were escaped."""
    for _ in range(len(text)):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text
