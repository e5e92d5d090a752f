"""The container of a skops file: checked before parsing, rewritten so that equal models are equal bytes."""

import json
import re
from collections.abc import Iterator
from io import BytesIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from paddock.kernel.errors import LimitExceeded, UnreadableFile
from paddock.models.formats.types import Json

MAX_FILE_BYTES = 2**30
MAX_MEMBERS = 50_000
SCHEMA = "schema.json"

_MEMBER = re.compile(r"schema\.json|[A-Za-z0-9][A-Za-z0-9-]{0,63}\.(?:npy|npz|bin)")
# Plain values and names: whether two of them were one object in memory is chance and means nothing.
_WITHOUT_IDENTITY = ("JsonNode", "TypeNode", "FunctionNode")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def read_schema(body: bytes) -> dict[str, Json]:
    """Return the parsed `schema.json` of a skops file after checking the container.

    Members must be stored (so the file's size bounds theirs), flat, of known kinds and unique. Raises
    UnreadableFile or LimitExceeded.
    """
    if len(body) > MAX_FILE_BYTES:
        raise LimitExceeded(f"the model file has {len(body)} bytes; at most {MAX_FILE_BYTES} are read")
    if not body.startswith(b"PK\x03\x04"):
        raise UnreadableFile("the model file is not a skops file")
    try:
        with ZipFile(BytesIO(body)) as container:
            _check_members(container.infolist())
            schema = json.loads(container.read(SCHEMA))
    except (BadZipFile, KeyError, ValueError, RecursionError, EOFError, NotImplementedError) as error:
        raise UnreadableFile(f"the model file cannot be read: {error}") from error
    if not isinstance(schema, dict):
        raise UnreadableFile("the model file has no object in its schema")
    return schema


def canonical_archive(body: bytes) -> bytes:
    """Return a skops file with the same content in which nothing depends on addresses, time or chance.

    skops names members and nodes after memory addresses and random numbers; here they are counted in
    order of appearance, written without compression and dated 1980.
    """
    schema = read_schema(body)
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    for node in _nodes(schema):
        _rename(node, numbers, files)
    target = BytesIO()
    with ZipFile(BytesIO(body)) as source, ZipFile(target, "w", ZIP_STORED) as container:
        for old, new in files.items():
            container.writestr(ZipInfo(new, _EPOCH), source.read(old))
        text = json.dumps(schema, separators=(",", ":"))
        container.writestr(ZipInfo(SCHEMA, _EPOCH), text)
    return target.getvalue()


def _check_members(members: list[ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise LimitExceeded(f"the model file has {len(members)} members; at most {MAX_MEMBERS} are read")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise UnreadableFile("the model file names a member twice")
    for member in members:
        if not _MEMBER.fullmatch(member.filename):
            raise UnreadableFile(f"the model file has a member `{member.filename[:80]}`")
        if member.compress_type != ZIP_STORED or member.file_size > MAX_FILE_BYTES:
            raise UnreadableFile(f"member `{member.filename}` of the model file is compressed")


def _nodes(root: Json) -> Iterator[dict[str, Json]]:
    waiting: list[Json] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            waiting.extend(reversed(node))


def _rename(node: dict[str, Json], numbers: dict[int, int], files: dict[str, str]) -> None:
    if "__loader__" not in node:
        return
    address, file = node.get("__id__"), node.get("file")
    if node["__loader__"] in _WITHOUT_IDENTITY:
        node.pop("__id__", None)
    elif isinstance(address, int):
        node["__id__"] = numbers.setdefault(address, len(numbers) + 1)
    if isinstance(file, str):
        suffix = file.rpartition(".")[2]
        node["file"] = files.setdefault(file, f"{len(files) + 1}.{suffix}")
