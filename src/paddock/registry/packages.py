"""Whether a registered package could be put to work now."""

from paddock.kernel.digest import Digest
from paddock.models import parse_manifest
from paddock.objects import ObjectStore


def find_missing_objects(objects: ObjectStore, package_digest: Digest) -> tuple[Digest, ...]:
    """Return the objects a package lacks, its manifest first; empty when it is complete.

    Presence is looked at, content is verified when the package is laid out. What is there is renewed, so that
    it is not deleted before a row names it. Raises IntegrityError for a damaged manifest.
    """
    if not objects.renew(package_digest):
        return (package_digest,)
    manifest = parse_manifest(objects.get(package_digest))
    return tuple(digest for digest in sorted(set(manifest.files.values())) if not objects.renew(digest))
