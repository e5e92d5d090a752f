"""Model packages: which objects one needs, and laying out those that gateways work from."""

from pathlib import Path

from paddock.governance.backing_up import list_gateways
from paddock.governance.rules import CONFIG_NAMES
from paddock.kernel.digest import Digest
from paddock.kernel.errors import IntegrityError, InvalidInput, NotFound, StoreTooNew
from paddock.models import materialize_package, parse_manifest
from paddock.objects import ObjectStore
from paddock.serving import EndpointConfig, GatewayState, read_config


def lay_out_packages(folder: Path, objects: ObjectStore) -> tuple[str, ...]:
    """Lay out the packages that the configs in a store's folder name; return what could not be, in words.

    A gateway that finds its config unchanged gets no packages again, so they must lie beside it.
    """
    notes: list[str] = []
    for gateway in list_gateways(folder):
        for name in CONFIG_NAMES:
            config, words = find_config(gateway / name)
            notes += [f"gateway `{gateway.name}`: {words}"] if words else []
            for digest in sorted(set(config.packages.values())) if config else ():
                try:
                    materialize_package(objects, digest, GatewayState(gateway).package_folder(digest))
                except (NotFound, IntegrityError, StoreTooNew) as error:
                    notes.append(f"gateway `{gateway.name}`: {error.message}")
    return tuple(dict.fromkeys(notes))


def find_config(path: Path) -> tuple[EndpointConfig | None, str]:
    """Return a gateway's config, or None when there is none, and what is wrong with it."""
    try:
        return read_config(path), ""
    except NotFound:
        return None, ""
    except InvalidInput as error:
        return None, error.message


def find_package_faults(objects: ObjectStore, digest: Digest) -> tuple[str, ...]:
    """Return what keeps a stored package from being put to work, in words; empty when it is complete."""
    try:
        manifest = parse_manifest(objects.get(digest))
    except NotFound:
        return (f"its package `{digest}` is missing",)
    except (IntegrityError, StoreTooNew) as error:
        return (f"its package `{digest}` cannot be read: {error.message}",)
    return tuple(
        f"`{name}` of its package is missing: object `{file}`"
        for name, file in sorted(manifest.files.items())
        if not objects.has(file)
    )
