"""Routes as values: what the faces declare and the server builds its one router from.

A handler is an ordinary function from a `Call` to an `Answer` or a `FileAnswer`. It runs in a
thread, raises PaddockError for what cannot be done, and knows nothing of the web framework.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from paddock.kernel.errors import InvalidInput
from paddock.kernel.refs import Actor
from paddock.kernel.refusals import RequestRefused
from paddock.wire.json import JsonLimits
from paddock.wire.permissions import Permission
from paddock.wire.structs import Request, Resource

T = TypeVar("T", bound=Request)

MAX_PAGE = 1_000


class BodyKind(Enum):
    """What a route takes: nothing, a JSON struct, a file that is streamed to disk, or the form of a page.

    A form is taken only where the browser says that a page of this server sends it.
    """

    NONE = "none"
    JSON = "json"
    FILE = "file"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked and decoded.

    path, query: decoded once; a repeated query name was refused, or joined where the route lists it.
    body: the struct of the route's `request`. upload: the received file, removed after the call unless
    moved away. key: the Idempotency-Key, or empty. actor: who calls, in which project.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    actor: Actor
    request_id: str
    key: str = ""
    body: Request | None = None
    upload: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, kind: type[T]) -> T:
        """Return the body, which the server decoded as the route's `request`; it must be a `kind`."""
        if not isinstance(self.body, kind):
            raise TypeError(
                f"the route decodes {type(self.body).__name__}, its handler reads {kind.__name__}"
            )
        return self.body

    def file(self) -> Path:
        """Return the uploaded file; only for routes with `BodyKind.FILE`."""
        if self.upload is None:
            raise TypeError("the route takes no file")
        return self.upload

    def text(self, name: str, default: str = "") -> str:
        return self.query.get(name, default)

    def whole(self, name: str, default: int, *, low: int = 0, high: int = 2**63 - 1) -> int:
        """Return the query parameter `name` as a whole number within `low` and `high`."""
        raw = self.query.get(name, "")
        if not raw:
            return default
        if raw.isascii() and raw.isdecimal() and len(raw) < 20 and low <= int(raw) <= high:
            return int(raw)
        raise InvalidInput(f"`{name}` is `{raw[:40]}`, but must be a whole number from {low} to {high}")

    def limit(self) -> int:
        """Return how many rows a page may have: `limit`, 1 to 1000, by default 100."""
        return self.whole("limit", 100, low=1, high=MAX_PAGE)


@dataclass(frozen=True, slots=True)
class Answer:
    """A body in memory."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """A file, streamed. temporary: remove it when it is sent."""

    path: Path
    media_type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """Bytes as they are read. size_bytes: how many `chunks` yield, None where nobody knows before.

    An error in `chunks` cuts the connection. A request for the head alone never starts them.
    """

    chunks: Iterator[bytes]
    size_bytes: int | None
    media_type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


AnyAnswer: TypeAlias = Answer | FileAnswer | StreamAnswer
Handler = Callable[[Call], AnyAnswer]
Decode = Callable[[bytes, bytes, JsonLimits], Request]


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """One declared route.

    path: segments, of which `{name}` matches one segment and `{name:path}` the rest. summary: one
    line for the OpenAPI document. request, response: structs, None where there is no JSON. query:
    parameter name -> one line of help; a name that is not listed is refused (400). takes_any_type: a file of
    whatever media type; only for PUT, which no form can send. is_slow: it runs a
    model, so it gets `slow_timeout_s` instead of the time of an ordinary request. lists: parameters of the
    query that may be repeated, as check boxes do; their values are joined by commas. decode: for a face with
    conventions of its own, makes the call's body of the query and the body as they were sent.
    """

    method: str
    path: str
    permission: Permission
    handler: Handler
    summary: str
    request: type[Request] | None = None
    response: type[Resource] | None = None
    body: BodyKind = BodyKind.NONE
    query: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    media_type: str = "application/json"
    is_slow: bool = False
    takes_any_type: bool = False
    lists: frozenset[str] = frozenset()
    decode: Decode | None = None

    def __post_init__(self) -> None:
        if self.request is not None and self.body is BodyKind.NONE:
            object.__setattr__(self, "body", BodyKind.JSON)


def answer_json(resource: Resource, *, status: int = 200) -> Answer:
    """Return `resource` as a JSON answer."""
    return Answer(msgspec.json.encode(resource), status=status)


def content_disposition(file_name: str) -> str:
    """Return the header that makes a browser save the file as `file_name`, never show it (RFC 6266).

    >>> content_disposition("späne.csv")
    "attachment; filename*=UTF-8''sp%C3%A4ne.csv"
    """
    from urllib.parse import quote

    if not file_name or any(ord(letter) < 32 or ord(letter) == 127 for letter in file_name):
        raise RequestRefused("a file name has no control characters and is not empty")
    return f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"
