"""What the loop needs from outside: somebody who fits models, and somebody who moves traffic."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from paddock.kernel.refs import DatasetRef, ModelVersionRef


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Fit `model` on the labelled rows before `fit_before` (event time).

    datasets: where the labelled live rows are; they hold later rows too, which must not be used.
    refit_of: 0, or the version whose recipe is fitted again. key: one request, one version.
    """

    model: str
    datasets: tuple[DatasetRef, ...]
    fit_before: datetime
    refit_of: int
    key: str


class Trainer(Protocol):
    """Fits and registers versions. The same key gives the same version again."""

    def train(self, request: TrainingRequest) -> ModelVersionRef | None:
        """Return the version, or None while it is still being fitted: ask again then, in the same words."""
        ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who answers an endpoint: the champion but for `weight`, which the candidate takes.

    shadow: a version that answers too, unseen; 0 for none.
    """

    champion: int
    candidate: int = 0
    weight: float = 0.0
    shadow: int = 0


class TrafficControl(Protocol):
    """Moves traffic. What the gateway refuses is not taken over later, but by another `apply` only."""

    def apply(self, endpoint: str, model: str, traffic: Traffic, *, reason: str) -> None:
        """Return when the gateway answers by it; may be repeated.

        Raises VerificationFailed when the gateway has refused it, Unavailable when it is not there in time.
        """
        ...
