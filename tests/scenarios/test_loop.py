"""The whole loop on a real gateway: rows over HTTP, late labels, real models, simulated time."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import numpy as np
import pytest
from loop_kit import (
    FEATURES,
    LABEL_DELAY,
    MODEL,
    RETRAIN,
    SNOW_AT,
    Stage,
    labels_of,
    matrix_of,
    without_ids,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from paddock.automation import Automation, Decision, TrafficControl, Trainer
from paddock.prediction_log import read_predictions
from paddock.registry import Registry
from paddock.serving import Route

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Story:
    """What a rollout left behind, as it is in every store it is played in."""

    decisions: list[Decision]
    versions: list[str]
    traffic: list[tuple[tuple[Route, ...], int]]
    at: datetime


def retrain_once(stage: Stage) -> Story:
    """Play until the first retrained model is champion."""
    stage.play_until_open()
    stage.play_until_idle()
    configs = [revision.config for revision in reversed(stage.app.endpoints.history(MODEL))]
    return Story(
        without_ids(stage.decisions()),
        [str(version.ref) for version in stage.app.registry.list_versions(MODEL)],
        [(config.routes, config.shadow_version) for config in configs],
        stage.at,
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Iterator[tuple[Stage, Story]]:
    """A stage after its first retraining, which nothing disturbed."""
    with ExitStack() as stack:
        stage = Stage(tmp_path_factory.mktemp("unbroken"), stack)
        yield stage, retrain_once(stage)


def fit(rows):
    return LogisticRegression().fit(matrix_of(rows), labels_of(rows))


def fit_noise(rows):
    """Learn rows by heart from columns that say nothing: perfect on those, a guess on others."""
    blind = matrix_of(rows) * np.array([name != "rain" for name in FEATURES])
    return DecisionTreeClassifier(random_state=0).fit(blind, labels_of(rows))


def answered_by(stage, version):
    """Return how many rows a version has answered for callers."""
    return read_predictions(stage.state.predictions_folder)["version"].to_pylist().count(version)


def kinds(decisions):
    return [decision.kind for decision in decisions]


def test_one_endpoint_through_the_whole_loop(unbroken):
    """Better becomes champion; equal, broken and overfitted ones do not; each decision says why."""
    stage, story = unbroken

    # the first champion guesses since rain rules: a retrained model is better and replaced it
    better = story.decisions
    assert kinds(better) == [
        "retrain_started",
        "shadow_started",
        "canary_started",
        "canary_widened",
        "champion_replaced",
    ]
    assert stage.champion() == 3  # 2 was gated, 3 is 2 fitted again on all rows
    assert "delay@3 is champion now, in place of delay@1: held for" in better[-1].words
    assert "not worse on live labels: AUC 0." in better[3].words
    assert answered_by(stage, 3) > answered_by(stage, 2) == 0

    # the next retraining learns nothing new and is refused, with words
    stage.play_until_open()
    stage.play_until_idle()
    started, refused = stage.decisions()[len(better) :]
    assert (started.kind, refused.kind) == ("retrain_started", "candidate_refused")
    assert refused.words.startswith("Kept delay@3. Candidate ")
    assert "needs more than 0" in refused.words
    assert stage.champion() == 3
    stage.loop = stage.make_loop(retrain=msgspec.structs.replace(RETRAIN, when=()))

    # two columns swapped in the hand-off: refused before any traffic
    rows = stage.labelled_before(stage.loop.exam()[0], days=3)
    swapped = stage.hand_in(fit(rows), rows, "by hand", order=("rain", "wind", "snow"))
    stage.play_round()
    last = stage.decisions()[-1]
    assert last.kind == "candidate_refused"
    assert "`rain` and `wind`" in last.words
    assert last.evidence["predictions_answered"] == 0
    assert answered_by(stage, swapped.version) == 0

    # fitted on its own exam: passes the gate, guesses on live rows, is taken back by their labels
    rows = stage.labelled_before(stage.loop.exam()[1], days=1)
    careless = stage.hand_in(fit_noise(rows), rows, "far better than anything before")
    stage.play_round()
    assert stage.decisions()[-1].kind == "shadow_started"
    stage.play_until_idle()
    last = stage.decisions()[-1]
    assert last.kind == "candidate_rolled_back"
    assert f"Took delay@{careless.version} back; delay@3 answers everything again." in last.words
    assert "worse on live labels" in last.words
    assert last.evidence["predictions_answered"] == answered_by(stage, careless.version) > 0
    assert stage.champion() == 3
    assert [(route.version, route.weight) for route in current_routes(stage)] == [(3, 1.0)]

    # snow rules now, which the champion knows nothing of: a sound candidate of a person's passes
    while stage.at < SNOW_AT + LABEL_DELAY + 2 * DAY:
        stage.play_round()
    rows = stage.labelled_before(stage.loop.exam()[0], days=1)
    sound = stage.hand_in(fit(rows), rows, "snow has come")
    stage.play_until_idle()
    last = stage.decisions()[-1]
    assert last.kind == "champion_replaced"
    assert last.words.startswith(f"delay@{sound.version} is champion now, in place of delay@3")
    assert stage.champion() == sound.version
    before = answered_by(stage, sound.version)
    stage.play_round()
    assert answered_by(stage, sound.version) - before == 160


def current_routes(stage):
    return stage.app.endpoints.current(MODEL).config.routes


class Killed(BaseException):
    """The process is gone: nothing may catch it."""


@dataclass(slots=True)
class Reaper:
    """Kills once at each point that is passed, in the order in which they come."""

    points: list[str] = field(default_factory=list)

    def pass_by(self, point: str) -> None:
        if point not in self.points:
            self.points.append(point)
            raise Killed(point)


@dataclass(frozen=True, slots=True)
class MortalAutomation(Automation):
    reaper: Reaper

    def open_rollout(self, draft, kind, words, *, key=""):
        opened = Automation.open_rollout(self, draft, kind, words, key=key)
        self.reaper.pass_by("opened")
        return opened

    def move(self, rollout, phase, **given):
        self.reaper.pass_by(f"before {phase} {given.get('step', 0)}")
        moved = Automation.move(self, rollout, phase, **given)
        self.reaper.pass_by(f"after {phase} {given.get('step', 0)}")
        return moved


@dataclass(frozen=True, slots=True)
class MortalRegistry(Registry):
    reaper: Reaper

    def promote(self, ref, alias, **given):
        change = Registry.promote(self, ref, alias, **given)
        self.reaper.pass_by("promoted, not told")
        return change


@dataclass(frozen=True, slots=True)
class MortalTrainer:
    trainer: Trainer
    reaper: Reaper

    def train(self, request):
        self.reaper.pass_by(f"before training {request.refit_of}")
        version = self.trainer.train(request)
        self.reaper.pass_by(f"after training {request.refit_of}")
        return version


@dataclass(frozen=True, slots=True)
class MortalTraffic:
    traffic: TrafficControl
    reaper: Reaper

    def apply(self, endpoint, model, traffic, *, reason):
        self.reaper.pass_by(f"before {traffic}")
        self.traffic.apply(endpoint, model, traffic, reason=reason)
        self.reaper.pass_by(f"after {traffic}")


class MortalStage(Stage):
    """A stage whose loop is killed at every point of its way; a new one takes over each time."""

    reaper: Reaper

    def look(self) -> None:
        app, reaper = self.app, self.reaper
        automation = MortalAutomation(app.metadata, app.clock, app.actor, reaper)
        registry = MortalRegistry(app.metadata, app.objects, app.clock, app.actor, reaper)
        rooms = replace(self.rooms, automation=automation, registry=registry)
        while True:
            loop = self.make_loop(
                rooms=rooms,
                trainer=MortalTrainer(self.trainer, reaper),
                traffic=MortalTraffic(self.traffic, reaper),
            )
            try:
                loop.tick()
            except Killed:
                continue
            return


def test_loop_that_is_killed_everywhere_decides_the_same(unbroken, tmp_path):
    """Killed at each point of a rollout, the loop makes the decisions and versions of an unbroken run."""
    with ExitStack() as stack:
        stage = MortalStage(tmp_path, stack)
        stage.reaper = Reaper()

        story = retrain_once(stage)

    assert len(stage.reaper.points) == 30
    assert story == unbroken[1]
