"""A PostgreSQL store as one portable file, and back. Format: docs/formats/database.md."""

import re
import zipfile
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import cast

import msgspec
from psycopg import sql
from psycopg.errors import Error as PostgresError

from paddock.kernel.errors import AlreadyExists, NotFound, UnreadableFile
from paddock.metadata.migrations import list_migrations, plan_migrations
from paddock.metadata.postgres_connection import Connection, open_connection
from paddock.metadata.postgres_errors import raise_known
from paddock.metadata.postgres_schema import apply_steps, has_store, lock_schema
from paddock.metadata.sqlite_files import prepare_file, publish_file

_FORMAT = "paddock.postgres-dump.1"
_CHUNK_BYTES = 1 << 20
_LOCK_WAIT_S = 30.0
_CREATED = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)


class DumpTable(msgspec.Struct, frozen=True):
    name: str
    columns: tuple[str, ...]


class DumpManifest(msgspec.Struct, frozen=True):
    """What a dump holds. tables: those referred to come before those that refer."""

    format: str
    migrations: tuple[int, ...]
    tables: tuple[DumpTable, ...]


def dump_database(connection: Connection, target: Path) -> None:
    """Write one snapshot of the store to the new file `target`, which appears when it is whole."""
    if target.exists():
        raise AlreadyExists(f"there is a file `{target}` already")
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    prepare_file(partial)
    try:
        with connection.transaction(), zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            manifest = _describe(connection)
            archive.writestr("manifest.json", msgspec.json.encode(manifest))
            for table in manifest.tables:
                _dump_table(connection, archive, table)
        publish_file(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def restore_postgres(source: Path, url: str) -> None:
    """Fill the empty database at `url` from a dump, all or nothing.

    AlreadyExists when it holds a store, StoreTooNew when a newer Paddock wrote the dump.
    """
    if not source.is_file():
        raise NotFound(f"there is no backup `{source}`")
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = _read_manifest(source, archive)
            connection = open_connection(url, busy_timeout_s=_LOCK_WAIT_S)
            with connection, connection.transaction():
                _fill(connection, archive, manifest, source)
    except (zipfile.BadZipFile, KeyError) as error:
        raise UnreadableFile(f"`{source}` is no complete backup of a PostgreSQL store: {error}") from error
    except PostgresError as error:
        raise_known(error)
        raise


def _describe(connection: Connection) -> DumpManifest:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ).fetchall()
    ours = {name for step in list_migrations("postgres") for name in _CREATED.findall(step.script)}
    columns: dict[str, list[str]] = {}
    for row in rows:
        if row["table_name"] in ours:  # a restore would find no place for tables of other programs
            columns.setdefault(row["table_name"], []).append(row["column_name"])
    applied = connection.execute("SELECT number FROM schema_migrations ORDER BY number").fetchall()
    return DumpManifest(
        format=_FORMAT,
        migrations=tuple(cast(int, row["number"]) for row in applied),
        tables=tuple(DumpTable(name, tuple(columns[name])) for name in _order(connection, columns)),
    )


def _order(connection: Connection, tables: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return the tables such that foreign keys point backwards."""
    needs: dict[str, set[str]] = {table: set() for table in tables}
    references = connection.execute(
        "SELECT referring.relname AS referring, target.relname AS target FROM pg_constraint"
        " JOIN pg_class AS referring ON referring.oid = conrelid"
        " JOIN pg_class AS target ON target.oid = confrelid"
        " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
    ).fetchall()
    for reference in references:
        if reference["referring"] in needs and reference["referring"] != reference["target"]:
            needs[reference["referring"]].add(reference["target"])
    return tuple(TopologicalSorter(needs).static_order())


def _dump_table(connection: Connection, archive: zipfile.ZipFile, table: DumpTable) -> None:
    command = _copy_command(table, "TO STDOUT")
    with (
        archive.open(f"tables/{table.name}.copy", "w", force_zip64=True) as file,
        connection.cursor() as cursor,
        cursor.copy(command) as rows,
    ):
        for block in rows:
            file.write(block)


def _read_manifest(source: Path, archive: zipfile.ZipFile) -> DumpManifest:
    try:
        manifest = msgspec.json.decode(archive.read("manifest.json"), type=DumpManifest)
    except msgspec.DecodeError as error:
        raise UnreadableFile(f"the manifest of `{source}` cannot be read: {error}") from error
    if manifest.format != _FORMAT:
        raise UnreadableFile(f"`{source}` has the format `{manifest.format[:80]}`, not `{_FORMAT}`")
    return manifest


def _fill(connection: Connection, archive: zipfile.ZipFile, manifest: DumpManifest, source: Path) -> None:
    lock_schema(connection)
    if has_store(connection):
        raise AlreadyExists(f"the database `{connection.info.dbname}` holds a store already")
    known = list_migrations("postgres")
    later = {step.number for step in plan_migrations(known, manifest.migrations, str(source))}
    apply_steps(connection, (step for step in known if step.number not in later))
    for table in reversed(manifest.tables):  # rows that the migrations have put there
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
    for table in manifest.tables:
        _fill_table(connection, archive, table)
    _continue_numbers(connection)


def _fill_table(connection: Connection, archive: zipfile.ZipFile, table: DumpTable) -> None:
    with (
        archive.open(f"tables/{table.name}.copy") as file,
        connection.cursor() as cursor,
        cursor.copy(_copy_command(table, "FROM STDIN")) as rows,
    ):
        while block := file.read(_CHUNK_BYTES):
            rows.write(block)


def _continue_numbers(connection: Connection) -> None:
    """Let numbers that the database gives by itself go on behind those that were copied."""
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND is_identity = 'YES'"
    ).fetchall()
    for row in rows:
        table, column = sql.Identifier(row["table_name"]), sql.Identifier(row["column_name"])
        connection.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), MAX({})) FROM {}").format(
                sql.Literal(row["table_name"]), sql.Literal(row["column_name"]), column, table
            )
        )


def _copy_command(table: DumpTable, direction: str) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(column) for column in table.columns)
    end = sql.SQL("TO STDOUT") if direction == "TO STDOUT" else sql.SQL("FROM STDIN")
    return sql.SQL("COPY {} ({}) {}").format(sql.Identifier(table.name), columns, end)
