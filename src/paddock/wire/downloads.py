"""Stored bytes on their way out. A browser saves them and never shows them in the origin of the pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from paddock.kernel.digest import Digest
from paddock.kernel.refusals import RangeNotSatisfiable
from paddock.wire.routes import Answer, AnyAnswer, StreamAnswer, content_disposition

if TYPE_CHECKING:
    from paddock.objects import ObjectStore

IN_MEMORY_BYTES = 1_048_576

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_RANGE = re.compile(r"bytes=\s*(?P<first>[0-9]{0,19})-(?P<last>[0-9]{0,19})\s*")
_TAG = re.compile(r'(?:W/)?"([^"]*)"')

# Names that say more than "bytes", and that no browser runs. What is not listed is bytes.
_TYPES: Mapping[str, str] = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}


def answer_object(
    objects: ObjectStore,
    digest: Digest,
    size_bytes: int,
    file_name: str,
    asked: Mapping[str, str] = _NO_HEADERS,
) -> AnyAnswer:
    """Return the verified object as an attachment named `file_name`.

    asked: headers of the request. With `If-None-Match` of its ETag the answer is 304; with a `Range` of one
    part it is that part, unless an `If-Range` names another ETag. RangeNotSatisfiable for a part that begins
    behind the end.
    """
    headers = {
        "Accept-Ranges": "bytes",
        # the name may stand for other bytes tomorrow, so it is asked each time; the ETag makes that cheap
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition(file_name),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{digest}"',
    }
    if _is_known(asked.get("if-none-match", ""), digest):
        return Answer(b"", status=304, headers=headers)
    media_type = _TYPES.get(Path(file_name).suffix.lower(), "application/octet-stream")
    part = _asked_part(asked, digest, size_bytes)
    if part is not None:
        start, stop = part
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size_bytes}"
        chunks = objects.read(digest, start, stop)
        return StreamAnswer(chunks, stop - start, media_type, status=206, headers=headers)
    if size_bytes <= IN_MEMORY_BYTES:
        return Answer(objects.get(digest), media_type=media_type, headers=headers)
    return StreamAnswer(objects.read(digest), size_bytes, media_type, headers=headers)


def parse_range(text: str, size_bytes: int) -> tuple[int, int] | None:
    """Return (start, stop) of the one part that a Range header asks for, None when it is to be passed over.

    Several parts, other units and what cannot be read are passed over, as RFC 9110 allows: the answer is then
    whole.

    >>> parse_range("bytes=0-4", 10), parse_range("bytes=7-", 10), parse_range("bytes=-3", 10)
    ((0, 5), (7, 10), (7, 10))
    >>> parse_range("bytes=0-1,3-4", 10) is None
    True
    """
    match = _RANGE.fullmatch(text)
    if match is None or not (match["first"] or match["last"]):
        return None
    if not match["first"]:
        start, stop = max(size_bytes - int(match["last"]), 0), size_bytes
    else:
        start = int(match["first"])
        stop = min(int(match["last"]) + 1, size_bytes) if match["last"] else size_bytes
        if match["last"] and int(match["last"]) < start:
            return None
    if start >= size_bytes or start >= stop:
        raise RangeNotSatisfiable(
            f"bytes are asked for from {start:,} on, but there are {size_bytes:,}", size_bytes=size_bytes
        )
    return start, stop


def _asked_part(asked: Mapping[str, str], digest: Digest, size_bytes: int) -> tuple[int, int] | None:
    text = asked.get("range", "")
    condition = asked.get("if-range", "")
    if not text or (condition and condition != f'"{digest}"'):
        return None
    return parse_range(text, size_bytes)


def _is_known(condition: str, digest: Digest) -> bool:
    """Tell whether If-None-Match names the digest; `*` names whatever there is."""
    return condition.strip() == "*" or digest in _TAG.findall(condition)
