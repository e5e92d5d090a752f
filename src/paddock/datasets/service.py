"""Add dataset versions and read them back; each version stores its bytes once."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from paddock.datasets import rules, sql
from paddock.datasets.profile import Profile, decode_profile, encode_profile
from paddock.datasets.records import Content, DatasetSummary, DatasetVersion, Field, FileFormat
from paddock.datasets.scanning import Scan, scan_file
from paddock.datasets.tables import check_file, parse_table, write_parquet
from paddock.kernel.clock import Clock
from paddock.kernel.digest import Digest, digest_chunks
from paddock.kernel.errors import Conflict, UnreadableFile
from paddock.kernel.names import check_name
from paddock.kernel.refs import Actor, parse_ref, parse_version
from paddock.metadata import Metadata, NewEvent, Reader, Transaction, once_for
from paddock.objects import ObjectStore

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Datasets:
    """The datasets of one project, as one actor sees and adds to them."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    def add_file(self, name: str, path: Path, *, key: str = "") -> DatasetVersion:
        """Make the bytes of a Parquet, CSV or Arrow file the next version of dataset `name`.

        When a version of `name` has these bytes already, that one is returned and nothing is
        stored. Raises NotFound for no file and UnreadableFile for a bad one; then nothing is stored.
        """
        check_name("dataset", name)
        return self._register(self._content_of_file(name, path, path.name), key)

    def add_table(self, name: str, table: pa.Table, *, key: str = "") -> DatasetVersion:
        """Make `table`, written as Parquet, the next version of dataset `name`.

        Equal rows in equal order give equal bytes, so they are one version (see `write_parquet`).
        Metadata of the schema, such as a pandas index, is not kept.
        """
        check_name("dataset", name)
        with tempfile.TemporaryDirectory(prefix="paddock-") as folder:
            path = Path(folder) / "table.parquet"
            write_parquet(table, path)
            return self._register(self._content_of_file(name, path, "table"), key)

    def get(self, text: str) -> DatasetVersion:
        """Return the version named by `flights@3`, or the newest for `flights`; else NotFound."""
        name, selector = parse_ref("dataset", text)
        wanted = parse_version("dataset", selector) if selector else 0
        return self.metadata.read(lambda reader: self._get(reader, name, wanted))

    def read(self, text: str) -> pa.Table:
        """Return the rows of a version (named as in `get`), verified against its digest."""
        version = self.get(text)
        return parse_table(self.objects.get(version.digest), version.format, str(version.ref))

    def get_profile(self, version: DatasetVersion) -> Profile:
        """Return the profile that was made when the version was added."""
        return decode_profile(self.objects.get(version.profile_digest))

    def list_datasets(self) -> tuple[DatasetSummary, ...]:
        """Return every dataset of the project by name."""
        return self.metadata.read(lambda reader: sql.list_summaries(reader, self.actor.project_id))

    def list_versions(self, name: str) -> tuple[DatasetVersion, ...]:
        """Return all versions of `name`, newest first; NotFound when there are none."""
        check_name("dataset", name)

        def query(reader: Reader) -> tuple[DatasetVersion, ...]:
            versions = sql.list_versions(reader, self.actor.project_id, name)
            if not versions:
                raise rules.no_dataset(name, sql.list_names(reader, self.actor.project_id))
            return versions

        return self.metadata.read(query)

    def _get(self, reader: Reader, name: str, wanted: int) -> DatasetVersion:
        project = self.actor.project_id
        latest = sql.latest_number(reader, project, name)
        if not latest:
            raise rules.no_dataset(name, sql.list_names(reader, project))
        version = sql.find_version(reader, project, name, wanted or latest)
        if version is None:
            raise rules.no_version(name, wanted, latest)
        return version

    def _content_of_file(self, name: str, path: Path, source: str) -> Content:
        file_format = check_file(path)
        digest = _digest_file(path)
        project = self.actor.project_id
        known = self.metadata.read(lambda reader: sql.find_by_digest(reader, project, name, digest))
        if known is not None:
            return rules.content_of(known)
        scan = scan_file(path)
        if self.objects.put_file(path) != digest:
            raise Conflict(f"`{source}` was changed by someone while it was being added")
        return self._describe(name, scan, digest, file_format, source)

    def _describe(
        self, name: str, scan: Scan, digest: Digest, file_format: FileFormat, source: str
    ) -> Content:
        return Content(
            name=name,
            digest=digest,
            profile_digest=self.objects.put(encode_profile(scan.profile)),
            format=file_format,
            schema=tuple(Field(field.name, str(field.type)) for field in scan.schema),
            row_count=scan.profile.row_count,
            size_bytes=self.objects.size_bytes(digest),
            source=source,
        )

    def _register(self, content: Content, key: str) -> DatasetVersion:
        project, now = self.actor.project_id, self.clock.now()

        def change(tx: Transaction) -> DatasetVersion:
            known = sql.find_by_digest(tx, project, content.name, content.digest)
            if known is not None:
                return known
            latest = sql.latest_number(tx, project, content.name)
            version = rules.plan_version(content, latest, self.actor.principal, now)
            sql.insert_version(tx, project, version)
            tx.append_event(self._added(version))
            return version

        request = ("add_dataset", content.name, content.digest)
        return self.metadata.write(change, once=once_for(self.actor, key, request, DatasetVersion))

    def _added(self, version: DatasetVersion) -> NewEvent:
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind="dataset.added",
            subject=f"dataset:{version.name}",
            event_time=version.created_at,
            data={"version": version.version, "digest": version.digest, "rows": version.row_count},
        )


def _digest_file(path: Path) -> Digest:
    try:
        return digest_chunks(_chunks(path))
    except OSError as error:
        raise UnreadableFile(f"`{path.name}` cannot be read: {error.strerror}") from error


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
