"""The handlers of the API on a store with a whole story in it, without HTTP."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from page_store import fill_page_store

from paddock.api import routes
from paddock.app import App, open_app
from paddock.kernel.errors import InvalidInput, NotFound, PromotionRefused
from paddock.kernel.settings import resolve_settings
from paddock.wire import Answer, Call, FileAnswer, RouteSpec, decode_json
from paddock.wire.structs import Resource


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A store with runs, datasets, models, an endpoint, judged windows, decisions and webhooks."""
    folder = tmp_path_factory.mktemp("store")
    fill_page_store(folder)
    settings = resolve_settings({"store": str(folder), "webhook_hosts": "hooks.example"}, {}, {})
    with closing(open_app(settings)) as opened:
        for name in ("ci", "chat"):
            opened.webhooks.create(name, url="https://hooks.example/in", events=("model.*",))
        yield opened


@pytest.fixture(scope="module")
def specs(app: App) -> dict[str, RouteSpec]:
    return {f"{spec.method} {spec.path.removeprefix('/api/v1')}": spec for spec in routes(app)}


class Client:
    """Calls handlers as the server does, and checks each answer against the struct its route declares."""

    def __init__(self, app: App, specs: Mapping[str, RouteSpec]) -> None:
        self.app = app
        self.specs = specs

    def ask(self, route: str, body: object = None, /, key: str = "", **values: str) -> Answer | FileAnswer:
        spec = self.specs[route]
        path = {name: value for name, value in values.items() if f"{{{name}" in spec.path}
        query = {name: value for name, value in values.items() if name not in path}
        assert set(query) <= set(spec.query), "the server would refuse this query"
        decoded = decode_json(json.dumps(body).encode(), spec.request) if spec.request else None
        return spec.handler(Call(path, query, self.app.actor, "r1", key=key, body=decoded))

    def get(self, route: str, body: object = None, /, key: str = "", **values: str) -> Resource:
        answer = self.ask(route, body, key, **values)
        kind = self.specs[route].response
        assert isinstance(answer, Answer)
        assert answer.status == self.specs[route].status
        assert kind is not None
        return msgspec.json.decode(answer.body, type=kind)


@pytest.fixture(scope="module")
def client(app: App, specs: Mapping[str, RouteSpec]) -> Client:
    return Client(app, specs)


def first_name(client: Client, route: str, rows: str, name: str = "name") -> str:
    return getattr(getattr(client.get(route), rows)[0], name)


def released_model(client: Client) -> str:
    return next(each.name for each in client.get("GET /models").models if each.champion)


def test_every_list_answers_and_pages(client: Client, specs: Mapping[str, RouteSpec]):
    """Each list gives the same rows in pages of one as it gives at once."""
    values = {
        "name": released_model(client),
        "run_id": first_name(client, "GET /runs", "runs", "run_id"),
    }
    names = {
        "GET /datasets/{name}/versions": first_name(client, "GET /datasets", "datasets"),
        "GET /endpoints/{name}/history": first_name(client, "GET /endpoints", "endpoints"),
        "GET /monitors/{name}/windows": first_name(client, "GET /monitors", "monitors", "monitor"),
    }
    lists = [route for route, spec in specs.items() if "cursor" in spec.query]
    assert len(lists) >= 10
    for route in lists:
        given = {**values, "name": names.get(route, values["name"])}
        given = {name: value for name, value in given.items() if f"{{{name}}}" in route}
        field = specs[route].response.__struct_fields__[0]
        whole = getattr(client.get(route, limit="1000", **given), field)
        found, cursor = [], ""
        while True:
            page = client.get(route, limit="1", **given, **({"cursor": cursor} if cursor else {}))
            found += getattr(page, field)
            cursor = page.next_cursor
            if not cursor or len(found) > len(whole):
                break

        assert found == list(whole), route
        assert whole, f"{route} has nothing to page through"


def test_forged_cursor_is_refused(client: Client):
    """A cursor that no page gave is an error, not a first page."""
    for route in ("GET /models", "GET /datasets", "GET /decisions", "GET /runs", "GET /experiments"):
        with pytest.raises(InvalidInput, match="cursor"):
            client.ask(route, cursor="forged")


def test_gate_report_tells_what_was_measured(client: Client):
    """A report has its gates with values, intervals and words, and its verdict."""
    name = released_model(client)
    summaries = client.get("GET /models/{name}/gate-reports", name=name).reports
    report = client.get("GET /gate-reports/{report_id}", report_id=summaries[0].report_id)

    assert report.results
    assert all(result.words for result in report.results)
    assert report.passed == all(result.state in ("passed", "not_applicable") for result in report.results)
    assert any(result.interval is not None for result in report.results)


def test_champion_is_found_by_alias_and_by_number(client: Client):
    """Both ways of naming a version lead to one."""
    model = next(each for each in client.get("GET /models").models if each.champion)
    by_alias = client.get("GET /models/{name}/versions/{selector}", name=model.name, selector="champion")
    by_number = client.get(
        "GET /models/{name}/versions/{selector}", name=model.name, selector=str(model.champion)
    )

    assert by_alias == by_number
    assert "champion" in by_alias.aliases
    moves = client.get("GET /models/{name}/history", name=model.name).changes
    assert moves[-1].to_version == model.champion


def test_windows_tell_drift_quality_and_coverage(client: Client):
    """A window has its state in words, drift by feature, quality with its interval."""
    name = first_name(client, "GET /monitors", "monitors", "monitor")
    windows = client.get("GET /monitors/{name}/windows", name=name).windows

    assert [window.start for window in windows] == sorted((window.start for window in windows), reverse=True)
    judged = next(window for window in windows if window.quality.value is not None)
    assert judged.quality.interval is not None
    assert judged.features
    assert 0 <= judged.label_coverage <= 1
    assert judged.words


def test_decisions_are_in_words_with_evidence(client: Client):
    """Each decision says what was done and on what evidence, newest first."""
    decisions = client.get("GET /decisions").decisions

    assert decisions
    assert all(decision.words for decision in decisions)
    assert [each.position for each in decisions] == sorted(
        (each.position for each in decisions), reverse=True
    )
    endpoint = decisions[0].endpoint
    of_endpoint = client.get("GET /decisions", endpoint=endpoint).decisions
    assert {each.endpoint for each in of_endpoint} == {endpoint}


def test_traffic_is_told_and_set(client: Client, app: App):
    """What an endpoint serves is read and changed by the same nouns; an unknown version is refused."""
    name = first_name(client, "GET /endpoints", "endpoints")
    before = client.get("GET /endpoints/{name}/traffic", name=name)
    version = before.routes[0].version
    route = "POST /endpoints/{name}/traffic"

    after = client.get(
        route, {"routes": [{"version": version, "weight": 1.0}], "reason": "all to one"}, "k1", name=name
    )

    assert after.reason == "all to one"
    assert client.get("GET /endpoints/{name}/traffic", name=name) == after
    with pytest.raises(NotFound):
        client.ask(route, {"routes": [{"version": 999, "weight": 1.0}], "reason": "r"}, name=name)
    with pytest.raises(InvalidInput):
        client.ask(route, {"routes": [{"version": version, "weight": 0.5}], "reason": "r"}, name=name)


def test_rollout_is_told_and_withdrawn(client: Client):
    """The newest rollout says where it stands; a withdrawal ends it once, with who and why."""
    name = first_name(client, "GET /endpoints", "endpoints")
    route = "POST /endpoints/{name}/rollout/withdrawals"
    before = client.get("GET /endpoints/{name}/rollout", name=name)

    ended = client.get(route, {"reason": "complaints since noon"}, "k3", name=name)
    again = client.get(route, {"reason": "complaints since noon"}, "k3", name=name)

    assert before.is_open
    assert before.waits_for
    assert (ended.rollout_id, ended.phase, ended.is_open) == (before.rollout_id, "rolled_back", False)
    assert again == ended == client.get("GET /endpoints/{name}/rollout", name=name)
    newest = client.get("GET /decisions", endpoint=name).decisions[0]
    assert (newest.kind, newest.rollout_id) == ("candidate_withdrawn", ended.rollout_id)
    assert "complaints since noon" in newest.words
    with pytest.raises(NotFound, match="has no rollout in progress"):
        client.ask(route, {"reason": "again"}, name=name)
    with pytest.raises(NotFound, match="there is no endpoint `none`"):
        client.ask("GET /endpoints/{name}/rollout", name="none")


def test_ungated_version_is_not_promoted(client: Client, app: App):
    """Registering a stored package is free; promoting it without evidence is refused."""
    model = next(each for each in client.get("GET /models").models if each.champion)
    champion = client.get("GET /models/{name}/versions/{selector}", name=model.name, selector="champion")
    made = client.get(
        "POST /models/{name}/versions", {"package_digest": champion.package_digest}, "k2", name=model.name
    )
    again = client.get(
        "POST /models/{name}/versions", {"package_digest": champion.package_digest}, "k2", name=model.name
    )

    assert made == again
    with pytest.raises(PromotionRefused):
        client.ask(
            "POST /models/{name}/promotions", {"version": made.version, "reason": "r"}, name=model.name
        )


def test_way_forward_and_back(client: Client):
    """A version that stands on a passed report is promoted, and taken back again."""
    name = released_model(client)
    before = client.get("GET /models/{name}/versions/{selector}", name=name, selector="champion")
    twin = client.get("POST /models/{name}/versions", {"package_digest": before.package_digest}, name=name)
    passed = next(
        each
        for each in client.get("GET /models/{name}/gate-reports", name=name).reports
        if each.passed and each.candidate_digest == before.package_digest
    )
    attach = "POST /models/{name}/versions/{version}/report"

    standing = client.get(attach, {"report_id": passed.report_id}, name=name, version=str(twin.version))
    promoted = client.get(
        "POST /models/{name}/promotions", {"version": twin.version, "reason": "same package"}, name=name
    )
    back = client.get("POST /models/{name}/rollbacks", {"reason": "and back"}, name=name)

    assert standing.report_id == passed.report_id
    assert (promoted.from_version, promoted.to_version) == (before.version, twin.version)
    assert (back.kind, back.to_version, back.reason) == ("rolled_back", before.version, "and back")


def test_runs_tell_where_they_ran(client: Client):
    """The environment of a run has its commit and packages, or says that none was recorded."""
    runs = client.get("GET /runs", limit="1000").runs
    with_environment = [run for run in runs if run.environment_digest]

    assert with_environment
    environment = client.get("GET /runs/{run_id}/environment", run_id=with_environment[0].run_id)
    assert environment.python
    without = [run for run in runs if not run.environment_digest]
    for run in without[:1]:
        with pytest.raises(NotFound):
            client.ask("GET /runs/{run_id}/environment", run_id=run.run_id)


def test_events_tell_the_story_in_order(client: Client):
    """Positions rise, kinds are filtered by their beginning."""
    events = client.get("GET /events", limit="1000").events
    moves = client.get("GET /events", kind="model.", limit="1000").events

    assert [event.position for event in events] == sorted(event.position for event in events)
    assert moves
    assert all(event.kind.startswith("model.") for event in moves)
    assert client.get("GET /audit/verify").ok


def test_every_route_is_tested_somewhere(specs: Mapping[str, RouteSpec]):
    """A new route must be spoken to here or over HTTP."""
    folder = Path(__file__).parent.parent.parent
    pages = (folder / "scenarios" / "test_server_api.py", *Path(__file__).parent.glob("test_*.py"))
    text = "".join(page.read_text() for page in pages)

    def is_tested(route: str) -> bool:
        last = [part for part in route.split("/") if not part.startswith("{")][-1]
        return route in text or f"/{last}" in text or f'"{last}"' in text

    assert [route for route in specs if not is_tested(route)] == []
