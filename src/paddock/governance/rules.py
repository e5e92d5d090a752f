"""The manifest's bytes, which files a backup may have, and how old an object is that may be deleted."""

import re
from datetime import timedelta
from typing import Final

import msgspec

from paddock.governance.records import BACKUP_FORMAT, BACKUP_FORMAT_VERSION, BackupManifest, Stage
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.durations import describe_duration
from paddock.kernel.errors import IntegrityError, InvalidInput, StoreTooNew, UnreadableFile

MANIFEST_NAME: Final = "backup.json"
METADATA_NAME: Final = "metadata.backup"
OBJECTS_NAME: Final = "objects"
GATEWAYS_NAME: Final = "gateways"
DECLARATION_NAME: Final = "paddock.toml"
CONFIG_NAMES: Final = ("config.json", "last-good.json")
GRACE: Final = timedelta(days=1)
LEAST_AGE: Final = timedelta(hours=1)

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_FILE = re.compile(
    rf"{METADATA_NAME}|{DECLARATION_NAME}|"
    rf"{GATEWAYS_NAME}/{_NAME}/(?:config\.json|last-good\.json|predictions/{_NAME}\.log)"
)


class _Head(msgspec.Struct):
    format: str = ""
    format_version: int = 0


def is_backup_file(name: str) -> bool:
    """Return whether a backup may have a file of this path, objects and the manifest aside.

    >>> is_backup_file("gateways/delay/predictions/labels-00000001.log")
    True
    >>> is_backup_file("gateways/../../etc/config.json")
    False
    """
    return _FILE.fullmatch(name) is not None


def object_name(digest: Digest) -> str:
    """Return the path of an object in a backup, the one it has in an object store too.

    >>> object_name(Digest("ab" + "0" * 62))[:14]
    'objects/ab/000'
    """
    return f"{OBJECTS_NAME}/{digest[:2]}/{digest[2:]}"


def encode_manifest(manifest: BackupManifest) -> bytes:
    """Return the manifest as JSON for people, sealed."""
    sealed = msgspec.structs.replace(manifest, seal=seal_of(manifest))
    return msgspec.json.format(msgspec.json.encode(sealed, order="deterministic"), indent=2) + b"\n"


def decode_manifest(body: bytes) -> BackupManifest:
    """Return the manifest.

    Raises StoreTooNew for a later format, UnreadableFile for what never was a manifest, and
    IntegrityError for one that is not as it was written or names files that a backup does not have.
    """
    try:
        head = msgspec.json.decode(body, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _changed(str(error)) from error
    if head.format != BACKUP_FORMAT:
        raise UnreadableFile(f"`{MANIFEST_NAME}` is not the manifest of a Paddock backup")
    if head.format_version > BACKUP_FORMAT_VERSION:
        raise StoreTooNew(
            f"the backup has format {head.format_version}, this Paddock reads up to {BACKUP_FORMAT_VERSION}",
            hint="pip install --upgrade paddock",
        )
    try:
        manifest = msgspec.json.decode(body, type=BackupManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _changed(str(error)) from error
    if manifest.seal != seal_of(manifest):
        raise _changed("its seal does not fit its content")
    odd = [name for name in manifest.files if not is_backup_file(name)]
    if odd:
        raise IntegrityError(f"the backup names a file `{odd[0][:200]}`, which a backup does not have")
    return manifest


def seal_of(manifest: BackupManifest) -> Digest:
    """Return the digest of everything in the manifest but the seal, whatever its layout in the file."""
    open_manifest = msgspec.structs.replace(manifest, seal="")
    return digest_bytes(msgspec.json.encode(open_manifest, order="deterministic"))


def check_min_age(min_age: timedelta) -> timedelta:
    """Return `min_age` if objects of that age may be deleted, else raise InvalidInput.

    >>> check_min_age(timedelta(days=1)).days
    1
    """
    if min_age < LEAST_AGE:
        raise InvalidInput(
            f"objects are deleted when they are {describe_duration(LEAST_AGE)} old or older, "
            f"not {describe_duration(min_age)}: the row of a younger one may be about to come"
        )
    return min_age


def ignore_progress(stage: Stage, done: int, total: int) -> None:
    """Tell nobody how far it is."""


def _changed(reason: str) -> IntegrityError:
    return IntegrityError(
        f"`{MANIFEST_NAME}` of the backup is not as it was written: {reason}", file=MANIFEST_NAME
    )
