"""Pages of models and of versions, by MLflow's grammar."""

from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader
from paddock.registry.records import PROMPT_TAG, ModelVersion, Search
from paddock.registry.sql.models import MODEL_COLUMNS, ModelRow, model_row_of
from paddock.registry.sql.versions import VERSION_COLUMNS, VERSIONS_SOURCE, read_versions
from paddock.tracking import (
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    ColumnSql,
    LookupSql,
    SearchTable,
    TableQuery,
    find_rows,
)

MAX_MODELS = 1_000
MAX_VERSIONS = 200_000

_OF_MODEL = "FROM model_tags x WHERE x.project_id = m.project_id AND x.name = m.name"
_OF_VERSION = (
    "FROM model_version_tags x"
    " WHERE x.project_id = m.project_id AND x.name = m.name AND x.version = m.version"
)


def _tags(of: str) -> LookupSql:
    return LookupSql(f"EXISTS (SELECT 1 {of} AND x.key = {{key}} AND {{test}})", "x.value")


def _prompts(of: str) -> dict[str, tuple[ColumnSql, str]]:
    """Whoever does not ask for prompts gets none; what lacks the tag is as if it were `false`."""
    value = f"COALESCE((SELECT LOWER(x.value) {of} AND x.key = '{PROMPT_TAG}'), 'false')"
    return {PROMPT_TAG: (ColumnSql(value, fold="lower"), f"{value} <> 'true'")}


_MODELS = SearchTable(
    REGISTERED_MODELS,
    source="models m",
    selected=MODEL_COLUMNS,
    project="m.project_id",
    attributes={
        "name": ColumnSql("m.name"),
        "creation_timestamp": ColumnSql("m.created_at", unit="milliseconds"),
        "last_updated_timestamp": ColumnSql("m.updated_at", unit="milliseconds"),
    },
    tags=_tags(_OF_MODEL),
    special=_prompts(_OF_MODEL),
)
_VERSIONS = SearchTable(
    MODEL_VERSIONS,
    source=VERSIONS_SOURCE,
    selected=VERSION_COLUMNS,
    project="m.project_id",
    attributes={
        "name": ColumnSql("m.name"),
        "version_number": ColumnSql("m.version"),
        "run_id": ColumnSql("m.run_id"),
        "source_path": ColumnSql(
            "CASE WHEN m.package_digest = '' THEN m.source"
            " ELSE 'paddock:/models/' || m.name || '/' || m.version END"
        ),
        "creation_timestamp": ColumnSql("m.created_at", unit="milliseconds"),
        "last_updated_timestamp": ColumnSql("m.updated_at", unit="milliseconds"),
    },
    tags=_tags(_OF_VERSION),
    special=_prompts(_OF_VERSION),
)


def find_models(reader: Reader, project_id: ProjectId, search: Search) -> tuple[tuple[ModelRow, ...], str]:
    """Return a page of models, and the cursor of the next one."""
    found = find_rows(reader, _MODELS, _query(project_id, search), most=MAX_MODELS)
    return tuple(model_row_of(row) for row in found.rows), found.next_cursor


def find_versions(
    reader: Reader, project_id: ProjectId, search: Search
) -> tuple[tuple[ModelVersion, ...], str]:
    """Return a page of versions, and the cursor of the next one."""
    found = find_rows(reader, _VERSIONS, _query(project_id, search), most=MAX_VERSIONS)
    return read_versions(reader, project_id, found.rows), found.next_cursor


def _query(project_id: ProjectId, search: Search) -> TableQuery:
    return TableQuery(project_id, search.filter, search.order, search.limit, search.cursor)
