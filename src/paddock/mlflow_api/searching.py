"""Finding runs and experiments."""

from typing import Literal

import msgspec

from paddock.app import App
from paddock.kernel.errors import InvalidInput
from paddock.mlflow_api.answers import answer_as, answer_page, experiment_info, run_body
from paddock.mlflow_api.binding import READ, Face
from paddock.mlflow_api.bodies import Enumerated, Int64, Message
from paddock.mlflow_api.errors import invalid_value
from paddock.mlflow_api.rules import check_experiment_id, check_results
from paddock.tracking import RunsWanted
from paddock.wire import Answer, Call, RouteSpec

DEFAULT_RESULTS = 1_000
MAX_DATASET_EXPERIMENTS = 20


class SearchRuns(Message, frozen=True):
    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    run_view_type: Enumerated = None
    max_results: Int64 = DEFAULT_RESULTS
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class SearchExperiments(Message, frozen=True):
    filter: str = ""
    view_type: Enumerated = None
    max_results: Int64 = DEFAULT_RESULTS
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class SearchDatasets(Message, frozen=True):
    experiment_ids: tuple[str, ...] = ()


class DatasetSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    experiment_id: str
    name: str
    digest: str
    context: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of searches."""
    experiments, datasets = "/mlflow/experiments/search", "/mlflow/experiments/search-datasets"
    return (
        *face.routes("POST", "/mlflow/runs/search", READ, search_runs, "Find runs", SearchRuns),
        *face.routes("POST", experiments, READ, search_experiments, "Find experiments", SearchExperiments),
        *face.routes("GET", experiments, READ, search_experiments, "Find experiments", SearchExperiments),
        *face.routes("POST", datasets, READ, search_datasets, "List what runs have read", SearchDatasets),
    )


def search_runs(app: App, call: Call) -> Answer:
    asked = call.read(SearchRuns)
    wanted = RunsWanted(
        experiment_ids=[check_experiment_id(each) for each in asked.experiment_ids],
        filter=asked.filter,
        order_by=asked.order_by,
        lifecycle=_read_view(asked.run_view_type, "run_view_type"),
    )
    page = app.searches.runs(wanted, limit=check_results(asked.max_results), cursor=asked.page_token)
    return answer_page("runs", map(run_body, page.documents), page.next_cursor)


def search_experiments(app: App, call: Call) -> Answer:
    asked = call.read(SearchExperiments)
    page = app.searches.experiments(
        asked.filter,
        order_by=asked.order_by,
        lifecycle=_read_view(asked.view_type, "view_type"),
        limit=check_results(asked.max_results),
        cursor=asked.page_token,
    )
    project = app.actor.project_id
    rows = (msgspec.json.encode(experiment_info(each, project)) for each in page.experiments)
    return answer_page("experiments", rows, page.next_cursor)


def search_datasets(app: App, call: Call) -> Answer:
    ids = call.read(SearchDatasets).experiment_ids
    if not ids:
        raise InvalidInput("SearchDatasets request must specify at least one experiment_id.")
    if len(ids) > MAX_DATASET_EXPERIMENTS:
        raise InvalidInput(
            f"SearchDatasets request cannot specify more than {MAX_DATASET_EXPERIMENTS} experiment_ids. "
            f"Received {len(ids)} experiment_ids."
        )
    found = app.searches.datasets([check_experiment_id(each) for each in ids])
    summaries = [DatasetSummary(each.experiment_id, each.name, each.digest, each.context) for each in found]
    return answer_as("dataset_summaries", summaries)


def _read_view(view: Enumerated, path: str) -> Literal["active", "deleted", "all"]:
    """Return which runs or experiments a list shows."""
    if view in (None, "ACTIVE_ONLY", 1, "1"):
        return "active"
    if view in ("DELETED_ONLY", 2, "2"):
        return "deleted"
    if view in ("ALL", 3, "3"):
        return "all"
    raise invalid_value(path, view, "It must be one of ACTIVE_ONLY, DELETED_ONLY, ALL.")
