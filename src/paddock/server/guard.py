"""What every request must pass before it is routed: pure checks of the request line and the headers.

They look at the raw bytes, so that what is checked is what the router and the handlers see.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

from paddock.kernel.refusals import (
    BadPath,
    BodyTooLarge,
    CrossSiteRequest,
    MisdirectedRequest,
    TokenInUrl,
    UnsupportedBody,
)
from paddock.server.limits import ServerLimits
from paddock.wire import BodyKind, RequestRefused

Headers = Sequence[tuple[bytes, bytes]]

SAFE_METHODS = frozenset({"GET", "HEAD"})
UPLOAD_TYPES = frozenset(
    {
        "application/octet-stream",
        "application/vnd.apache.parquet",
        "application/vnd.apache.arrow.file",
        "text/csv",
    }
)
FORM_TYPE = "application/x-www-form-urlencoded"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})|%2[fF]|%5[cC]|%[01][0-9A-Fa-f]|%7[fF]|[\\;\x00-\x20\x7f]")
_ENCODED_TWICE = re.compile(r"%[0-9A-Fa-f]{2}")
# the names of files may hold a `%` there; the face looks at them however often they are encoded
_FILE_NAMES = re.compile(r"/(?:ajax-)?api/2\.0/mlflow-artifacts/")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_SECRET_NAMES = frozenset(
    {"token", "access_token", "api_token", "api_key", "apikey", "auth", "authorization", "password", "secret"}
)


@dataclass(frozen=True, slots=True)
class Head:
    """Request line and headers as they were sent; header names are lower case."""

    method: str
    raw_path: bytes
    query: bytes
    headers: Headers

    def values(self, name: bytes) -> list[str]:
        return [value.decode("latin-1").strip() for key, value in self.headers if key == name]

    def only(self, name: bytes) -> str:
        """Return the one value of the header, or an empty string; sent twice it is refused."""
        values = self.values(name)
        if len(values) > 1:
            raise RequestRefused(
                f"the header `{name.decode()}` is sent {len(values)} times, but may be sent once"
            )
        return values[0] if values else ""


def check_head(head: Head, limits: ServerLimits) -> None:
    """Raise RequestRefused unless the request is meant for this server and can be read in one way only."""
    check_host(head, limits.allowed_hosts)
    check_path(head.raw_path)
    if head.method not in SAFE_METHODS:
        check_origin(head)
    encoding = head.only(b"content-encoding").lower()
    if encoding not in ("", "identity"):
        raise UnsupportedBody(f"a body encoded as `{encoding[:40]}` is not taken; send it as it is")


def check_host(head: Head, allowed: frozenset[str]) -> None:
    """Raise MisdirectedRequest unless exactly one Host names this server (against DNS rebinding)."""
    hosts = head.values(b"host")
    match = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    if match is None or match[1] not in allowed:
        named = ", ".join(f"`{host[:80]}`" for host in hosts[:2]) or "nothing"
        raise MisdirectedRequest(
            f"the Host header names {named}, but this server answers to {', '.join(sorted(allowed))}",
            hint="set PADDOCK_ALLOWED_HOSTS to add a name",
        )


def check_path(raw_path: bytes) -> None:
    """Raise BadPath for every path that a proxy, the router and a handler could read differently.

    >>> check_path(b"/api/v1/runs")
    >>> check_path(b"/api//runs")
    Traceback (most recent call last):
    ...
    paddock.kernel.refusals.BadPath: the path has an empty segment, or a segment `.` or `..`
    """
    if _BAD_ESCAPE.search(raw_path):
        raise BadPath(
            "the path has an encoded slash, a backslash, a `;`, a control character or a bad escape"
        )
    try:
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPath("the path is not UTF-8") from error
    if _ENCODED_TWICE.search(path) and not _FILE_NAMES.match(path):
        raise BadPath("the path is percent-encoded twice")
    segments = path.split("/")
    if segments[0] or "" in segments[1:-1] or not {".", ".."}.isdisjoint(segments):
        raise BadPath("the path has an empty segment, or a segment `.` or `..`")


def check_origin(head: Head) -> None:
    """Raise CrossSiteRequest when a browser says that a page of another origin sends this."""
    site = head.only(b"sec-fetch-site").lower()
    if site not in ("", "same-origin", "none"):
        raise CrossSiteRequest(f"the request comes from another site (`Sec-Fetch-Site: {site[:20]}`)")
    origin = head.only(b"origin").lower()
    if origin and origin != f"http://{head.only(b'host').lower()}":
        raise CrossSiteRequest(f"the request comes from `{origin[:80]}`, a page of another origin")


def check_form_origin(head: Head) -> None:
    """Raise CrossSiteRequest unless the browser says itself that a page of this server sends the form.

    A page of another origin can send a form without being asked, so that saying nothing is not enough.
    """
    if head.only(b"sec-fetch-site").lower() != "same-origin" and not head.only(b"origin"):
        raise CrossSiteRequest(
            "a form is taken from a page of this server; programs use the routes of `/api`"
        )


def check_body_type(head: Head, body: BodyKind) -> None:
    """Raise UnsupportedBody unless the media type is the one the route takes.

    Types that forms have are taken by the pages' own routes alone; see `check_form_origin`.
    """
    media_type = head.only(b"content-type").partition(";")[0].strip().lower()
    if body is BodyKind.JSON and media_type != "application/json":
        raise UnsupportedBody(f"the body is `{media_type[:60]}`, but must be `application/json`")
    if body is BodyKind.FORM and media_type != FORM_TYPE:
        raise UnsupportedBody(f"the body is `{media_type[:60]}`, but must be `{FORM_TYPE}`")
    if body is BodyKind.FILE and media_type not in UPLOAD_TYPES:
        raise UnsupportedBody(
            f"the body is `{media_type[:60]}`, but must be one of {', '.join(sorted(UPLOAD_TYPES))}"
        )


def check_length(head: Head, most_bytes: int) -> int:
    """Return the announced length of the body, -1 when it comes in chunks; too large is refused unread."""
    length = head.only(b"content-length")
    if not length:
        return -1 if head.values(b"transfer-encoding") else 0
    if not (length.isascii() and length.isdecimal()):
        raise RequestRefused("Content-Length is not a number")
    if len(length) > 18 or int(length) > most_bytes:
        raise BodyTooLarge(f"the body has {length[:24]} bytes; the limit is {most_bytes}")
    return int(length)


def read_query(
    query: bytes, known: Mapping[str, str], most_fields: int, lists: Collection[str] = ()
) -> dict[str, str]:
    """Return the query by name. Unknown and repeated names are refused, and secrets most of all.

    lists: names that may be repeated; what they say is joined by commas.

    >>> read_query(b"limit=5&pin=a&pin=b", {"limit": "rows of a page", "pin": "runs"}, 64, ["pin"])
    {'limit': '5', 'pin': 'a,b'}
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=most_fields,
        )
    except ValueError as error:
        raise RequestRefused("the query cannot be read; write `name=value&name=value` in UTF-8") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() in _SECRET_NAMES or value.startswith("paddock_"):
            raise TokenInUrl("a secret in the address would be kept by logs; send it as a header")
        if name in found and name in lists:
            value = ",".join(filter(None, (found[name], value)))
        elif name in found:
            raise RequestRefused(f"the query names `{name[:40]}` twice")
        if name not in known:
            names = ", ".join(f"`{each}`" for each in known) or "none"
            raise RequestRefused(f"`{name[:40]}` is no query parameter of this route; it has {names}")
        found[name] = value
    return found


def read_key(head: Head) -> str:
    """Return the Idempotency-Key, or an empty string."""
    key = head.only(b"idempotency-key")
    if key and not _KEY.fullmatch(key):
        raise RequestRefused("an Idempotency-Key has 1 to 255 visible ASCII characters")
    return key
