"""From a fitted model to champion and back, with real models in real workers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from paddock.evaluation import Evaluation, SliceSpec, Trial, parse_gates, score_package, slice_table
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import PromotionRefused
from paddock.kernel.refs import DEFAULT_PROJECT, Actor
from paddock.metadata import open_metadata
from paddock.models import build_package, encode_rows, infer_signature, save_package, verify_stored_package
from paddock.objects import open_objects
from paddock.registry import Recipe, Registry

MARCH = datetime(2013, 3, 31, tzinfo=UTC)
GATES = parse_gates(
    [
        {"metric": "roc_auc", "at_least": 0.6},
        {"metric": "roc_auc", "versus": "champion", "margin": 0.0, "confidence": 0.95},
        {"metric": "roc_auc", "slice": "carrier", "at_least": 0.55, "min_rows": 200},
    ]
)
RECIPE = Recipe(*(digest_bytes(part) for part in (b"code", b"depth=6", b"lock")))
FEATURES = ["distance", "wind", "carrier"]


def flights(seed, rows=3000):
    """Flights that are late by distance, wind and carrier, and by chance."""
    rng = np.random.default_rng(seed)
    distance, wind = rng.normal(size=rows), rng.normal(size=rows)
    carrier = rng.integers(0, 3, rows)
    late = rng.random(rows) < 1 / (1 + np.exp(-(-1 + 0.6 * distance + 1.2 * wind + 0.4 * carrier)))
    names = np.array(["AA", "DL", "UA"])[carrier]
    return pa.table({"late": late * 1.0, "distance": distance, "wind": wind, "carrier": names})


class Story:
    """The rooms a release goes through, on one store."""

    def __init__(self, folder):
        self.clock = SimulatedClock(MARCH)
        self.metadata = open_metadata(str(folder), clock=self.clock)
        self.objects = open_objects(str(folder / "objects"))
        actor = Actor(DEFAULT_PROJECT, "ann")
        self.evaluation = Evaluation(self.metadata, self.objects, self.clock, actor)
        self.registry = Registry(self.metadata, self.objects, self.clock, actor)

    def fit(self, table, columns):
        """Fit a model on some columns, the others fed as zero, and store its package."""
        signature = infer_signature(table.select(FEATURES))
        rows = table.select(FEATURES)
        features = encode_rows(signature, {name: rows.column(name) for name in FEATURES})
        masked = features * np.isin(FEATURES, columns)
        model = LogisticRegression().fit(masked, table.column("late").to_numpy())
        package = build_package(model, sample=rows.slice(0, 40), signature=signature)
        return save_package(self.objects, package)

    def judge(self, package, window, champion=""):
        """Score candidate and champion on the window and hold the gates against it."""
        rival = self.registry.get(champion) if champion else None
        return self.evaluation.judge(
            Trial(
                model="delay",
                candidate_digest=package,
                labels=window.column("late").to_numpy(),
                candidate_scores=score_package(self.objects, package, window),
                champion_scores=score_package(self.objects, rival.package_digest, window) if rival else None,
                champion_version=rival.version if rival else 0,
                slices=slice_table(window, [SliceSpec("carrier")]),
                seed=1,
                draws=200,
            ),
            GATES,
        )

    def refit(self, parent, table, columns):
        """Fit a version's recipe again on more rows, replay its golden requests, gate it as its parent."""
        package = self.fit(table, columns)
        replay = verify_stored_package(self.objects, package)
        version = self.registry.register_version("delay", package, refit_of=parent.version, recipe=RECIPE)
        words = f"{replay.checked_rows} rows answered as recorded"
        self.registry.record_verification(version.ref, passed=replay.passed, cause=replay.cause, words=words)
        report = self.evaluation.judge_refit(
            self.evaluation.get_report(parent.report_id),
            package,
            parent_version=parent.version,
            verified=replay.passed,
            verification_words=words,
        )
        return self.registry.attach_report(version.ref, report.report_id)


@pytest.fixture
def story(tmp_path):
    story = Story(tmp_path)
    yield story
    story.metadata.close()


def test_release_refit_refusal_and_rollback(story):
    """A first release, its refit, a refused candidate, a better one and the way back: all on evidence."""
    winter, march, spring = flights(1), flights(2), flights(3)
    first_package = story.fit(winter, ["distance"])
    report = story.judge(first_package, march)
    first = story.registry.register_version("delay", first_package, report_id=report.report_id, recipe=RECIPE)
    champion = story.refit(first, pa.concat_tables([winter, march]), ["distance"])
    story.registry.promote(champion.ref, "champion", reason="first release")

    worse_package = story.fit(winter, ["carrier"])
    refused = story.judge(worse_package, spring, champion="delay@champion")
    worse = story.registry.register_version("delay", worse_package, report_id=refused.report_id)
    with pytest.raises(PromotionRefused, match="did not pass"):
        story.registry.promote(worse.ref, "champion", reason="newer")

    story.clock.move_to(MARCH + timedelta(days=60))
    better_package = story.fit(winter, ["distance", "wind", "carrier"])
    passed = story.judge(better_package, spring, champion="delay@champion")
    better = story.registry.register_version("delay", better_package, report_id=passed.report_id)
    move = story.registry.promote(
        better.ref, "champion", reason=passed.words, expected_version=champion.version
    )
    story.clock.move_to(MARCH + timedelta(days=70))
    back = story.registry.rollback("delay", reason="worse live", expected_version=better.version)

    assert [result.state for result in report.results] == ["passed", "not_applicable", "passed"]
    assert refused.results[1].state == "failed"
    assert "AUC worse than delay@2" in refused.results[1].words
    assert "AUC better than delay@2" in passed.results[1].words
    assert (move.from_version, move.to_version, move.way_back) == (2, better.version, "ready")
    assert (back.to_version, story.registry.get("delay@champion").version) == (2, 2)
    story_so_far = [
        story.registry.champion_at("delay", MARCH + timedelta(days=day)).to_version for day in (1, 61, 71)
    ]
    assert story_so_far == [2, better.version, 2]


def test_candidate_that_scrambles_its_columns_is_stopped_with_the_cause(story):
    """A package whose answers differ from its recorded ones is not promoted, though its gate passed."""
    winter, march = flights(1), flights(2)
    rows = winter.select(FEATURES)
    signature = infer_signature(rows)
    features = encode_rows(signature, {name: rows.column(name) for name in FEATURES})
    model = LogisticRegression().fit(features, winter.column("late").to_numpy())
    # the training code fed wind before distance; the signature says otherwise
    as_trained = features[:, [1, 0, 2]]
    package = save_package(
        story.objects,
        build_package(model, sample=rows.slice(0, 40), signature=signature, features=as_trained[:40]),
    )
    report = story.judge(package, march)
    version = story.registry.register_version("delay", package, report_id=report.report_id)

    replay = verify_stored_package(story.objects, package)
    story.registry.record_verification(version.ref, passed=replay.passed, cause=replay.cause)

    assert report.passed
    with pytest.raises(PromotionRefused, match="answered differently") as caught:
        story.registry.promote(version.ref, "champion", reason="passed its gates")
    assert "distance" in caught.value.message
    assert "wind" in caught.value.message
