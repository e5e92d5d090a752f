"""Stored bytes on their way out. A browser saves them and never shows them in the origin of the pages."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from paddock.kernel.digest import Digest
from paddock.objects import ObjectStore
from paddock.wire import Answer, FileAnswer, content_disposition

IN_MEMORY_BYTES = 1_048_576

# Names that say more than "bytes", and that no browser runs. What is not listed is bytes.
_TYPES: Mapping[str, str] = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}


def answer_object(
    objects: ObjectStore, digest: Digest, size_bytes: int, file_name: str
) -> Answer | FileAnswer:
    """Return the verified object as an attachment named `file_name`."""
    media_type = _TYPES.get(Path(file_name).suffix.lower(), "application/octet-stream")
    headers = {
        "Content-Disposition": content_disposition(file_name),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{digest}"',
    }
    if size_bytes <= IN_MEMORY_BYTES:
        return Answer(objects.get(digest), media_type=media_type, headers=headers)
    descriptor, name = tempfile.mkstemp(prefix="paddock-download-")
    os.close(descriptor)
    path = Path(name)
    try:
        objects.materialize(digest, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return FileAnswer(path, media_type, headers=headers, temporary=True)
