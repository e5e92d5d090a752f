"""The manifest's bytes, read strictly."""

import msgspec

from paddock.kernel.errors import IntegrityError, StoreTooNew
from paddock.models.records import FORMAT, FORMAT_VERSION, PackageManifest


class _Head(msgspec.Struct):
    format: str = ""
    format_version: int = 0


def parse_manifest(body: bytes) -> PackageManifest:
    """Return the manifest; StoreTooNew when a newer Paddock wrote it, IntegrityError when it is none."""
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.format != FORMAT:
            raise IntegrityError("the manifest is not that of a Paddock model package")
        if head.format_version > FORMAT_VERSION:
            raise StoreTooNew(
                f"the model package is of format {head.format_version}, this Paddock reads {FORMAT_VERSION}"
            )
        return msgspec.json.decode(body, type=PackageManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IntegrityError(f"the package manifest cannot be read: {error}") from error
