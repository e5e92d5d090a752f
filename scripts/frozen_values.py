"""What is read of a frozen store: a few values of every room, as JSON.

Keys are only ever added. A sample is asked for those that its own `values.json` knows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from paddock.app import App, open_app
from paddock.kernel.clock import format_time
from paddock.kernel.settings import Value, resolve_settings
from paddock.models import parse_manifest
from paddock.serving import GatewayState, read_config

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def open_sample(folder: Path) -> App:
    """Open a copy of a frozen store, which brings its schema up to date; its old keys are kept."""
    given: dict[str, Value] = {"store": str(folder), "principal": "ann", "idempotency_keep_days": 0}
    return open_app(resolve_settings(given, {}, {}))


def read_values(app: App) -> dict[str, Json]:
    """Return what every room tells about the sample."""
    return {
        "datasets": _read_datasets(app),
        "run": _read_run(app),
        "pipeline": _read_pipeline(app),
        "gates": _read_gates(app),
        "models": _read_models(app),
        "endpoint": _read_endpoint(app),
        "monitor": _read_monitor(app),
        "rollout": _read_rollout(app),
        "events": _read_events(app),
    }


def _read_datasets(app: App) -> list[Json]:
    found: list[Json] = []
    for version in app.datasets.list_versions("flights"):
        table, profile = app.datasets.read(str(version.ref)), app.datasets.get_profile(version)
        found.append(
            {
                "ref": str(version.ref),
                "digest": version.digest,
                "created_at": format_time(version.created_at),
                "columns": list(table.column_names),
                "rows": [list(row.values()) for row in table.slice(0, 2).to_pylist()],
                "profile": {column.name: [column.row_count, column.missing] for column in profile.columns},
            }
        )
    return found


def _read_run(app: App) -> dict[str, Json]:
    (listed,) = app.tracking.search_runs(experiment="delay").runs
    run = app.tracking.get_run(listed.run_id)
    history = app.tracking.metric_history(run.run_id, "auc")
    environment = app.tracking.get_environment(run.environment_digest)
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_at": format_time(run.started_at),
        "ended_at": format_time(run.ended_at) if run.ended_at else None,
        "principal": run.principal,
        "params": _copy(run.params),
        "tags": _copy(run.tags),
        "metrics": {key: repr(value) for key, value in sorted(run.metrics.items())},  # NaN is no JSON
        "history": [[point.step, repr(point.value), format_time(point.at)] for point in history],
        "inputs": [[str(each.dataset), each.role] for each in run.inputs],
        "artifacts": {each.path: _read_artifact(app, run.run_id, each.path) for each in run.artifacts},
        "environment": [environment.git_commit, environment.python, *environment.packages],
    }


def _read_artifact(app: App, run_id: str, path: str) -> str:
    return app.tracking.read_artifact(run_id, path).decode()


def _read_pipeline(app: App) -> list[Json]:
    found: list[Json] = []
    for summary in app.pipelines.list_runs().runs:
        run = app.pipelines.get_run(summary.pipeline_run_id)
        steps: list[Json] = [
            [
                each.name,
                each.state,
                _describe(app.pipelines.load_output(each.step_run_id)),
                app.pipelines.read_log(each.step_run_id),
            ]
            for each in run.steps
        ]
        found.append(
            {"pipeline": run.pipeline, "status": run.status, "params": _copy(run.params), "steps": steps}
        )
    return found


def _describe(output: object) -> Json:
    if isinstance(output, np.ndarray):
        return [len(output), str(output.dtype), *output[-2:].tolist()]
    return repr(output)


def _read_gates(app: App) -> list[Json]:
    found: list[Json] = []
    for summary in app.evaluation.list_reports("delay"):
        report = app.evaluation.get_report(summary.report_id)
        results: list[Json] = [[result.state, result.words] for result in report.results]
        found.append(
            {
                "report_id": report.report_id,
                "passed": report.passed,
                "rows": report.rows,
                "words": report.words,
                "results": results,
            }
        )
    return found


def _read_models(app: App) -> dict[str, Json]:
    versions: list[Json] = []
    for version in app.registry.list_versions("delay"):
        manifest = parse_manifest(app.objects.get(version.package_digest))
        sizes: dict[str, Json] = {
            name: len(app.objects.get(digest)) for name, digest in sorted(manifest.files.items())
        }
        versions.append(
            {
                "ref": str(version.ref),
                "run_id": version.run_id,
                "report_id": version.report_id,
                "refit_of": version.refit_of,
                "datasets": [str(each) for each in version.datasets],
                "aliases": list(version.aliases),
                "verified": version.verification.passed if version.verification else None,
                "columns": [column.name for column in manifest.signature.columns],
                "files": sizes,
            }
        )
    history: list[Json] = [
        [move.kind, move.from_version, move.to_version, move.reason, format_time(move.at)]
        for move in app.registry.alias_history("delay")
    ]
    return {"versions": versions, "champions": history}


def _read_endpoint(app: App) -> dict[str, Json]:
    endpoint = app.endpoints.get_endpoint("delay")
    config = read_config(GatewayState(app.gateway_folder("delay")).config_path)
    revisions: list[Json] = []
    for revision in app.endpoints.history("delay"):
        routes: list[Json] = [[route.version, route.weight] for route in revision.config.routes]
        revisions.append([revision.number, routes, revision.config.shadow_version, revision.reason])
    return {
        "model": endpoint.spec.model,
        "salt": endpoint.salt,
        "canary": list(endpoint.spec.rollout.canary),
        "revisions": revisions,
        "config": [config.generation, config.salt, config.champion_version, dict(_packages(config.packages))],
    }


def _packages(packages: Mapping[int, str]) -> dict[str, Json]:
    return {str(version): digest for version, digest in sorted(packages.items())}


def _read_monitor(app: App) -> dict[str, Json]:
    (summary,) = app.monitoring.list_monitors()
    windows: list[Json] = []
    for report in app.monitoring.list_windows(summary.monitor):
        profile = app.monitoring.get_profile(report)
        windows.append(
            {
                "start": format_time(report.start),
                "revision": report.revision,
                "state": report.state,
                "words": report.words,
                "quality": report.facts.quality.value,
                "coverage": report.facts.label_coverage,
                "prediction_psi": report.prediction_psi,
                "features": {each.name: each.psi for each in report.facts.features},
                "profile_rows": profile.row_count,
            }
        )
    alarms: list[Json] = [[alarm.kind, alarm.words] for alarm in app.monitoring.open_alarms()]
    return {"windows": windows, "alarms": alarms}


def _read_rollout(app: App) -> dict[str, Json]:
    rollouts: list[Json] = [
        [each.rollout_id, each.origin, each.trigger, each.phase, each.champion, each.candidate]
        for each in app.automation.list_rollouts("delay")
    ]
    decisions: list[Json] = [
        [each.kind, each.words, dict(each.evidence), format_time(each.at)]
        for each in app.automation.list_decisions(endpoint="delay")
    ]
    return {"rollouts": rollouts, "decisions": decisions}


def _read_events(app: App) -> dict[str, Json]:
    events = app.metadata.events(app.actor.project_id)
    verdict = app.metadata.verify_ledger()
    kinds: list[Json] = [event.kind for event in events]
    return {"kinds": kinds, "head_position": verdict.head_position, "head_hash": verdict.head_hash}


def _copy(texts: Mapping[str, str]) -> dict[str, Json]:
    return dict(sorted(texts.items()))
