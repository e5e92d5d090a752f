"""A registry over a real store, on SQLite and on PostgreSQL."""

import itertools
from datetime import timedelta

import msgspec
import numpy as np
import pytest

from paddock.evaluation import Evaluation, GateSpec, Trial
from paddock.kernel.clock import EPOCH, SimulatedClock
from paddock.kernel.refs import DEFAULT_PROJECT, Actor, ProjectId
from paddock.metadata import open_metadata
from paddock.models import GoldenSummary, PackageManifest, Signature, parse_manifest
from paddock.objects import MemoryBackend, ObjectStore
from paddock.registry import Recipe, Registry
from paddock.tracking import Experiments, LoggedModels, Tracking

RECIPE = Recipe("c" * 64, "p" * 64, "e" * 64)
FLOOR = (GateSpec(metric="roc_auc", at_least=0.6),)


class Shop:
    """Everything a registry test handles, with short ways to the states it starts from."""

    def __init__(self, metadata, clock):
        self.metadata, self.clock = metadata, clock
        self.backend = MemoryBackend()
        self.objects = ObjectStore(self.backend)
        self.actor = Actor(DEFAULT_PROJECT, "ann")
        self.evaluation = Evaluation(metadata, self.objects, clock, self.actor)
        self.registry = Registry(metadata, self.objects, clock, self.actor)
        self.logged_models = LoggedModels(metadata, clock, self.actor)
        self._experiments = Experiments(metadata, clock, self.actor)
        self._numbers = itertools.count()

    def package(self):
        """Store a package unlike any other and return its digest."""
        model = self.objects.put(f"model {next(self._numbers)}".encode())
        manifest = PackageManifest(
            signature=Signature(columns=()),
            estimator="Stub",
            types=(),
            python="3.11",
            packages=(),
            files={"model.skops": model},
            golden=GoldenSummary(1, 0.0, 1.0),
        )
        return self.objects.put(msgspec.json.encode(manifest, order="sorted"))

    def lose_model_file(self, package):
        """Delete the one file of a package and return its digest."""
        lost = parse_manifest(self.objects.get(package)).files["model.skops"]
        self.backend.delete(lost)
        return lost

    def judge(self, package, *, good=True, model="delay"):
        labels = np.tile([0.0, 1.0], 50)
        scores = np.where(labels == 1, 0.8, 0.2) if good else np.full(100, 0.5)
        return self.evaluation.judge(Trial(model, package, labels, scores, draws=20), FLOOR)

    def released(self, *, model="delay", recipe=RECIPE):
        """Register a version that passed its gate."""
        package = self.package()
        report = self.judge(package, model=model)
        return self.registry.register_version(model, package, report_id=report.report_id, recipe=recipe)

    def champion(self, *, reason="better"):
        version = self.released()
        self.registry.promote(version.ref, "champion", reason=reason)
        return version

    @property
    def now(self):
        return self.clock.now()

    def wait_s(self, seconds):
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))

    def run(self, experiment="Flights", *, location=""):
        """Start a run and return its id. location: where its experiment keeps its files, if that is new."""
        if location:
            self._experiments.create(experiment, artifact_location=location)
        tracking = Tracking(self.metadata, self.objects, self.clock, self.actor)
        return tracking.start_run(experiment=experiment).run_id

    def experiment_id(self, name):
        return self._experiments.find_by_name(name).experiment_id

    def of_project(self, project):
        """Return the registry of another project over the same store."""
        return Registry(self.metadata, self.objects, self.clock, Actor(ProjectId(project), "eve"))

    def kinds(self, prefix=""):
        return [event.kind for event in self.metadata.events(DEFAULT_PROJECT, kind=prefix)]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shop(request, tmp_path):
    clock = SimulatedClock(EPOCH)
    url = str(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    metadata = open_metadata(url, clock=clock)
    yield Shop(metadata, clock)
    metadata.close()
