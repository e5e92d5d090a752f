"""Latency before the gate: a real gateway, a real model, requests over HTTP."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from gateway_kit import make_fleet, make_rows
from loop_kit import FEATURES, flights, labels_of, matrix_of, register
from loop_shop import DAY, GATES, HOUR, OPENED_AT, Shop
from sklearn.linear_model import LogisticRegression

from paddock.automation import rehearse
from paddock.evaluation import GateSpec, Trial
from paddock.kernel.errors import InvalidInput, VerificationFailed
from paddock.kernel.refs import ModelVersionRef
from paddock.registry import ModelVersion, Recipe
from paddock.serving import GatewayOptions


def version_of(number):
    """Return version 1, 2 or 9 of the small fleet, as a registry knows it."""
    return ModelVersion(
        name="delay",
        version=number,
        package_digest=make_fleet().digests[number],
        run_id="",
        refit_of=0,
        report_id="",
        datasets=(),
        recipe=Recipe(),
        aliases=(),
        verification=None,
        principal="ann",
        created_at=datetime(2013, 4, 1, tzinfo=UTC),
    )


def rows(count):
    """Return rows as the prediction log has them: whole numbers are floats there, and some are missing."""
    table = pa.table(make_rows(count))
    hours = np.asarray(table["hour"].to_numpy(), dtype=float)
    return table.set_column(1, "hour", pa.array(hours)).append_column("other", pa.array(["x"] * count))


def processes():
    """Return the ids of this process's children."""
    folder = Path(f"/proc/{os.getpid()}/task")
    found = [(task / "children").read_text().split() for task in folder.iterdir()]
    return {int(pid) for one in found for pid in one}


def test_each_row_is_one_measured_request(tmp_path):
    """The figure is a time of the real server; afterwards neither its process nor its folder is there."""
    state = tmp_path / "delay"
    state.mkdir()
    before = processes()

    found = rehearse(version_of(1), rows(40), make_fleet().objects, options=GatewayOptions(state=state))

    assert found.requests == 40
    assert found.latency_p99_ms > 0
    assert list(state.iterdir()) == []
    assert processes() <= before


def test_no_more_than_300_rows_are_sent():
    """A large exam is sampled, spread evenly over its rows."""
    assert rehearse(version_of(1), rows(301), make_fleet().objects).requests == 300


def test_package_that_the_gateway_refuses_is_told():
    """Golden requests that are answered differently end the rehearsal with the gateway's words."""
    with pytest.raises(VerificationFailed, match="version 9 is not served: its golden rows"):
        rehearse(version_of(9), rows(5), make_fleet().objects)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (rows(3).drop_columns(["wind"]), "it does not take a row of the rehearsal"),
        (rows(3).slice(0, 0), "there is no row to measure latency on"),
    ],
)
def test_rows_that_cannot_be_answered_are_told(table, words):
    """A column that is missing, or no row at all, is an error and not a fast answer."""
    with pytest.raises(InvalidInput, match=words):
        rehearse(version_of(1), table, make_fleet().objects)


def register_fitted(shop, strength):
    """Register a small model that passed a gate, and return its version."""
    table = flights(OPENED_AT, 400)
    estimator = LogisticRegression(C=strength).fit(matrix_of(table), labels_of(table))
    version = register(shop.app.objects, shop.app.registry, estimator, table)
    scores = estimator.predict_proba(matrix_of(table))[:, 1]
    report = shop.app.evaluation.judge(
        Trial("delay", version.package_digest, labels_of(table), scores, draws=20), GATES
    )
    shop.app.registry.attach_report(version.ref, report.report_id)
    return version.version


@pytest.fixture
def shop(tmp_path):
    """One endpoint, champion version 1."""
    shop = Shop(tmp_path)
    shop.promote(shop.version(), reason="first release")
    yield shop
    shop.close()


@pytest.fixture
def gated(shop):
    """The shop with a champion and a candidate that workers can load, and a day of labelled rows."""
    champion, candidate = register_fitted(shop, 1.0), register_fitted(shop, 0.5)
    shop.promote(champion)
    table = flights(OPENED_AT, 200)
    features = [(name, table[name].to_pylist()) for name in FEATURES]
    ids = shop.answer(OPENED_AT, [champion] * 200, [0.5] * 200, features=features)
    shop.label(ids, table["late"].to_pylist(), OPENED_AT + HOUR / 2)
    shop.clock.move_to(OPENED_AT + DAY)
    shop.start("gating", candidate=candidate, champion=champion)
    return candidate


@pytest.mark.parametrize(("limit", "phase"), [(10_000, "shadow"), (0.001, "refused")])
def test_gate_on_latency_is_held_on_a_measurement(shop, gated, limit, phase):
    """A latency gate passes or fails by what the rehearsal measured; the report says over how many rows."""
    shop.make_loop(gates=(GateSpec(latency_p99_ms=limit),)).tick()

    assert shop.automation.list_rollouts("delay")[0].phase == phase
    report = shop.app.evaluation.get_report(shop.app.registry.get(ModelVersionRef("delay", gated)).report_id)
    (result,) = report.results
    assert result.state == ("passed" if phase == "shadow" else "failed")
    assert "over 200 requests, at most" in result.words
    assert report.evidence.latency_p99_ms == result.value > 0


def test_rehearsal_whose_gateway_does_not_start_ends_the_rollout(shop, gated, tmp_path):
    """A latency that cannot be measured is an answer, and it is no: the loop does not try it at each tick."""
    broken = GatewayOptions(state=tmp_path / "delay", log_mode="never")  # no gateway takes such a mode
    loop = shop.make_loop(gates=(GateSpec(latency_p99_ms=10_000),))

    replace(loop, plan=replace(loop.plan, gateway=broken)).tick()

    assert shop.automation.list_rollouts("delay")[0].phase == "refused"
    words = shop.decisions()[-1].words
    assert "The gate could not be held: the latency could not be measured: " in words
