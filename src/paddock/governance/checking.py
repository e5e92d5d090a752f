"""Looking for what is missing, damaged or cannot be used in a store."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from paddock.governance.backing_up import IN_MEMORY_BYTES, list_gateways
from paddock.governance.logs import check_log
from paddock.governance.naming import Rooms, find_step_faults, list_named, list_steps
from paddock.governance.packages import find_config, find_package_faults
from paddock.governance.records import Fault, Progress, StoreCheck
from paddock.governance.rules import CONFIG_NAMES
from paddock.kernel.digest import Digest, parse_digest
from paddock.kernel.errors import IntegrityError, InvalidInput, NotFound
from paddock.metadata import Metadata
from paddock.objects import ObjectStore


@dataclass(slots=True)
class _Findings:
    faults: list[Fault] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    segments: int = 0

    def add(self, where: str, words: str) -> None:
        self.faults.append(Fault(where, words))


def check_store(
    rooms: Rooms, metadata: Metadata, objects: ObjectStore, folder: Path, progress: Progress
) -> StoreCheck:
    """Look at everything; see `Governance.check`."""
    found = _Findings()
    progress("ledger", 0, 1)
    verdict = metadata.verify_ledger()
    if not verdict.ok:
        found.add("ledger", f"does not hold at position {verdict.first_bad_position}: {verdict.words}")
    progress("rows", 0, 1)
    _check_rows(rooms, metadata, objects, found)
    _check_gateways(rooms, objects, folder, found, progress)
    count = _check_objects(objects, found, progress)
    return StoreCheck(verdict.checked_count, count, len(found.named), found.segments, tuple(found.faults))


def _check_rows(rooms: Rooms, metadata: Metadata, objects: ObjectStore, found: _Findings) -> None:
    for named in list_named(rooms, metadata):
        found.named.add(named.digest)
        if named.is_package:
            for words in find_package_faults(objects, Digest(named.digest)):
                found.add(named.where, words)
        elif not _has(objects, named.digest):
            found.add(named.where, f"its {named.what} is missing: object `{named.digest}`")
    for step in list_steps(rooms.pipelines):
        found.named.update(filter(None, (step.output_digest, step.log_digest)))
        for words in find_step_faults(rooms.pipelines, objects, step):
            found.add(f"step run `{step.step_run_id}` (`{step.name}`)", words)
    for where, words in _list_alias_faults(rooms, objects):
        found.add(where, words)


def _list_alias_faults(rooms: Rooms, objects: ObjectStore) -> Iterator[tuple[str, str]]:
    for summary in rooms.registry.list_models():
        for alias, number in (("champion", summary.champion), ("challenger", summary.challenger)):
            if not number:
                continue
            where = f"alias `{summary.name}@{alias}`"
            try:
                version = rooms.registry.get(f"{summary.name}@{alias}")
            except NotFound as error:
                yield where, f"leads nowhere: {error.message}"
                continue
            faults = find_package_faults(objects, version.package_digest) if version.has_package else ()
            for words in faults:
                yield where, f"points at version {version.version}, which cannot serve: {words}"


def _check_gateways(
    rooms: Rooms, objects: ObjectStore, folder: Path, found: _Findings, progress: Progress
) -> None:
    gateways = list_gateways(folder)
    progress("logs", 0, len(gateways))
    for done, gateway in enumerate(gateways, start=1):
        for name in CONFIG_NAMES:
            _check_config(rooms, objects, gateway / name, found)
        verdict = check_log(gateway / "predictions")
        found.segments += verdict.segment_count
        if verdict.words:
            found.add(f"prediction log of gateway `{gateway.name}`", verdict.words)
        progress("logs", done, len(gateways))


def _check_config(rooms: Rooms, objects: ObjectStore, path: Path, found: _Findings) -> None:
    where = f"`{path.name}` of gateway `{path.parent.name}`"
    config, words = find_config(path)
    if words:
        found.add(where, words)
    if config is None:
        return
    for digest in sorted(set(config.packages.values())):
        for fault in find_package_faults(objects, digest):
            found.add(where, fault)
    revision = rooms.endpoints.find_current(config.endpoint)
    if revision is not None and revision.number < config.generation:
        found.add(where, f"has generation {config.generation}, but rows know only {revision.number}")


def _check_objects(objects: ObjectStore, found: _Findings, progress: Progress) -> int:
    digests = tuple(objects.list_digests())
    with TemporaryDirectory(prefix="paddock-check-") as scratch:
        for done, digest in enumerate(digests, start=1):
            try:
                if objects.size_bytes(digest) <= IN_MEMORY_BYTES:
                    objects.get(digest)
                else:
                    objects.materialize(digest, Path(scratch, "object"))
            except (IntegrityError, NotFound, InvalidInput) as error:
                found.add(f"object `{digest}`", error.message)
            progress("objects", done, len(digests))
    return len(digests)


def _has(objects: ObjectStore, digest: str) -> bool:
    try:
        return objects.has(parse_digest(digest))
    except InvalidInput:
        return False
