"""Stores that earlier versions wrote, opened with the code of today."""

import gzip
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from frozen_values import Json, open_sample, read_values

from paddock.metadata.migrations import Migration, list_migrations
from paddock.serving import GatewayState, read_config
from paddock.serving.state import write_config

HERE = Path(__file__).parent
SAMPLES = sorted(HERE.glob("store-*"))
CONFIG = Path("gateways") / "delay" / "config.json"
Table = Sequence[tuple[object, ...]]


@pytest.fixture(params=SAMPLES, ids=lambda folder: folder.name)
def sample(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def store(sample: Path, tmp_path: Path) -> Path:
    """A copy of a frozen store, with its database unpacked."""
    folder = tmp_path / "store"
    shutil.copytree(sample, folder, ignore=shutil.ignore_patterns("metadata.db.gz", "values.json"))
    (folder / "metadata.db").write_bytes(gzip.decompress((sample / "metadata.db.gz").read_bytes()))
    return folder


def narrow(found: Json, known: Json) -> Json:
    """Return of `found` what `known` has keys for: a later version may tell more."""
    if isinstance(found, dict) and isinstance(known, dict):
        return {key: narrow(found.get(key), value) for key, value in known.items()}
    if isinstance(found, list) and isinstance(known, list) and len(found) == len(known):
        return [narrow(*pair) for pair in zip(found, known, strict=True)]
    return found


def read_tables(database: Path) -> Mapping[str, Table]:
    """Return the schema and every row of every table."""
    with closing(apsw.Connection(str(database), apsw.SQLITE_OPEN_READONLY)) as connection:
        schema = list(connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name"))
        names = [str(name) for kind, name, _ in schema if kind == "table"]
        rows = {name: list(connection.execute(f'SELECT * FROM "{name}"')) for name in names}
        pragmas = [(connection.pragma("user_version"), connection.pragma("application_id"))]
        return {"": schema, "pragmas": pragmas, **rows}


def find_missing(tables: Mapping[str, Table]) -> Sequence[Migration]:
    """Return the migrations of today that are not applied yet."""
    applied = {number for number, *_ in tables["schema_migrations"]}
    return [step for step in list_migrations("sqlite") if step.number not in applied]


def find_untouched(tables: Mapping[str, Table]) -> set[str]:
    """Return what must stay as it is: everything, or what the missing migrations do not name."""
    missing = find_missing(tables)
    if not missing:
        return set(tables)
    named = " ".join(step.script for step in missing)
    return {name for name in tables if name not in ("", "pragmas", "schema_migrations") and name not in named}


def test_there_is_a_sample():
    """At least one store is frozen, so that the tests below test something."""
    assert SAMPLES


def test_everything_in_the_store_reads_as_ever(sample: Path, store: Path):
    """Datasets, runs, steps, reports, versions, endpoints, windows, rollouts and events have their values."""
    known = json.loads((sample / "values.json").read_text())

    with closing(open_sample(store)) as app:
        found = json.loads(json.dumps(read_values(app)))

    assert narrow(found, known) == known


def test_the_ledger_and_every_object_hold(store: Path):
    """The chain that was written then is computed the same today, and no object is missing or damaged."""
    with closing(open_sample(store)) as app:
        verdict = app.metadata.verify_ledger()
        check = app.governance.check()

    assert verdict.ok
    assert verdict.checked_count == verdict.head_position > 20
    assert [str(fault) for fault in check.faults] == []
    assert check.object_count >= 15


def test_a_changed_event_is_found(store: Path):
    """The sample's ledger is not taken on trust: one word changed in it, and the check says where."""
    with closing(apsw.Connection(str(store / "metadata.db"))) as connection:
        (trigger,) = next(
            connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%UPDATE%'"
            )
        )
        connection.execute(f'DROP TRIGGER "{trigger}"')
        connection.execute("UPDATE events SET principal = 'eve' WHERE position = 3")

    with closing(open_sample(store)) as app:
        verdict = app.metadata.verify_ledger()

    assert (verdict.ok, verdict.first_bad_position) == (False, 3)


def test_opening_a_store_changes_what_its_schema_lacks_and_no_more(store: Path):
    """A store of this schema stays as it is, every table and row; an older one gets what it lacks."""
    before = read_tables(store / "metadata.db")
    untouched = find_untouched(before)

    open_sample(store).close()

    after = read_tables(store / "metadata.db")
    assert find_missing(after) == []
    assert untouched
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_opening_a_store_again_changes_nothing(store: Path):
    """Whatever had to be brought up to date was so after it was opened once."""
    open_sample(store).close()
    before = read_tables(store / "metadata.db")

    open_sample(store).close()

    assert read_tables(store / "metadata.db") == before


def test_work_goes_on_in_the_store(store: Path):
    """What was gated then can be promoted now; the event follows the old ones in the chain."""
    with closing(open_sample(store)) as app:
        before = app.metadata.verify_ledger().head_position
        change = app.registry.promote("delay@2", "champion", reason="looked at")
        verdict = app.metadata.verify_ledger()

    assert (change.from_version, change.to_version) == (1, 2)
    assert verdict.ok
    assert verdict.head_position > before


def test_endpoint_config_reads_as_ever(sample: Path):
    """What a gateway was told to serve is understood without the store."""
    known = json.loads((sample / "values.json").read_text())["endpoint"]

    config = read_config(sample / CONFIG)

    assert (config.endpoint, config.model, config.format) == ("delay", "delay", 1)
    assert [config.generation, config.salt, config.champion_version] == known["config"][:3]
    assert [[route.version, route.weight] for route in config.routes] == known["revisions"][0][1]


def test_endpoint_config_is_written_as_ever(sample: Path, tmp_path: Path):
    """The same config gives the same bytes, so that an earlier gateway can read it."""
    copy = GatewayState(tmp_path).config_path

    write_config(copy, read_config(sample / CONFIG))

    assert copy.read_bytes() == (sample / CONFIG).read_bytes()
