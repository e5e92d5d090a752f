"""Who hands in which candidate, and when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from paddock.app import App
from paddock.automation import Loop, Rollout
from paddock.demo.aside import run_aside
from paddock.demo.incidents import (
    Handover,
    renumber_categories,
    submit_by_hand,
    submit_careless,
    swap_columns,
)
from paddock.demo.release import MODEL
from paddock.kernel.refs import DatasetRef, ModelVersionRef


@dataclass(frozen=True, slots=True)
class Scene:
    """planted: what is wrong with the candidate, for the report alone; reason: what its maker says."""

    planted: str
    reason: str
    not_before: datetime
    make: Callable[[Handover, str], ModelVersionRef]


SCENES = (
    Scene(
        "two columns swapped in the hand-off",
        "new candidate, packaged by hand",
        datetime(2013, 6, 10, tzinfo=UTC),
        lambda hand, key: submit_by_hand(hand, key=key, alter=swap_columns),
    ),
    Scene(
        "carriers renumbered in the hand-off",
        "new candidate, packaged by hand once more",
        datetime(2013, 6, 10, tzinfo=UTC),
        lambda hand, key: submit_by_hand(hand, key=key, alter=renumber_categories),
    ),
    Scene(
        "none (control)",
        "new candidate, packaged by hand with care",
        datetime(2013, 6, 10, tzinfo=UTC),
        lambda hand, key: submit_by_hand(hand, key=key),
    ),
    Scene(
        "labels mixed up, and fitted on its own exam",
        "new candidate, far better than anything before",
        datetime(2013, 7, 29, tzinfo=UTC),
        lambda hand, key: submit_careless(hand, key=key),
    ),
)


@dataclass(frozen=True, slots=True)
class Plot:
    """Hands in the scenes in order, each as soon as its day has come and no rollout is under way."""

    loop: Loop
    app: App
    seed: int

    def hand_in(self, at: datetime) -> None:
        """Hand in what is due at `at`; what was handed in before is known from the store."""
        for number in range(len(self.rollouts()), len(SCENES)):
            scene = SCENES[number]
            if at < scene.not_before or self.app.automation.find_open(MODEL) is not None:
                return
            key = f"demo-scene-{number + 1}"
            hand = self._handover(at)
            candidate = run_aside(partial(scene.make, hand, key))
            self.loop.submit(candidate, reason=scene.reason, key=key)
            self.loop.tick()

    def rollouts(self) -> tuple[Rollout, ...]:
        """Return the rollouts of the scenes so far, in their order."""
        found = self.app.automation.list_rollouts(MODEL, limit=1000)
        return tuple(reversed([rollout for rollout in found if rollout.origin == "submitted"]))

    def _handover(self, at: datetime) -> Handover:
        fit_before, until = self.loop.exam()
        history = tuple(DatasetRef("flights", month) for month in (1, 2, 3))
        return Handover(
            MODEL, (*history, *self.loop.labelled.keep_until(until, at)), fit_before, until, self.seed
        )
