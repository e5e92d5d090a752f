"""Training in the background: the loop goes on, and gets what came of it once."""

import threading
from contextlib import closing

import pytest
from loop_shop import DAY, HOUR, OPENED_AT, RETRAIN, BrokenTrainer, FoundTrainer, labels, scores

from paddock.app import open_app
from paddock.automation import BackgroundTrainer, PipelineTrainer, Traffic, TrainingRequest
from paddock.kernel.errors import Conflict, Unavailable
from paddock.kernel.refs import DatasetRef, ModelVersionRef
from paddock.kernel.settings import resolve_settings
from paddock.pipelines import pipeline, step

REF = ModelVersionRef("delay", 7)


def request(key="k1"):
    return TrainingRequest("delay", (DatasetRef("rows", 1),), OPENED_AT, 0, key)


class PatientTrainer:
    """Trains when it is let go on, and remembers the threads it was called in."""

    def __init__(self):
        self.is_free = threading.Event()
        self.threads = []

    def train(self, request):
        self.threads.append(threading.current_thread())
        assert self.is_free.wait(60)
        return ModelVersionRef(request.model, len(request.key))


def test_result_comes_when_it_is_there():
    """None while it is under way, however often one asks; then the result, from one training."""
    patient = PatientTrainer()
    trainer = BackgroundTrainer(patient)

    assert [trainer.train(request()) for _ in range(3)] == [None] * 3
    patient.is_free.set()
    assert trainer.wait(60)
    assert trainer.train(request()) == ModelVersionRef("delay", 2)
    assert [thread is threading.current_thread() for thread in patient.threads] == [False]


def test_each_key_has_a_training_of_its_own():
    """Two requests are under way at the same time, and each gets its own result."""
    patient = PatientTrainer()
    trainer = BackgroundTrainer(patient)
    trainer.train(request("k"))
    trainer.train(request("other"))
    assert not trainer.wait(0)
    patient.is_free.set()
    assert trainer.wait(60)

    assert trainer.train(request("other")) == ModelVersionRef("delay", 5)
    assert trainer.train(request("k")) == ModelVersionRef("delay", 1)


def test_error_is_raised_once():
    """Who asks is told what went wrong; asked again after that, it is tried again."""
    broken = BrokenTrainer(Unavailable("the cluster is full"))
    trainer = BackgroundTrainer(broken)
    trainer.train(request())
    trainer.wait(60)

    with pytest.raises(Unavailable, match="the cluster is full"):
        trainer.train(request())

    assert trainer.train(request()) is None
    trainer.wait(60)
    assert broken.asked == 2


def test_error_that_is_none_of_ours_is_carried_over():
    """What a user's code raises is raised where it is asked for, not lost in a thread."""
    trainer = BackgroundTrainer(BrokenTrainer(KeyError("late")))
    trainer.train(request())
    trainer.wait(60)

    with pytest.raises(KeyError, match="late"):
        trainer.train(request())


def test_result_nobody_came_for_is_let_go():
    """When another training begins, an ended one is forgotten; asked for again, it is trained again."""
    found = FoundTrainer(REF)
    trainer = BackgroundTrainer(found)
    trainer.train(request("left"))
    trainer.wait(60)
    trainer.train(request("next"))
    trainer.wait(60)

    assert trainer.train(request("left")) is None


def give_labelled_rows(shop):
    for day in range(4):
        at = OPENED_AT + day * DAY
        shop.label(shop.answer(at, [1] * 30, scores(30)), labels(30), at + HOUR / 2)
    shop.clock.move_to(OPENED_AT + 4 * DAY)


def test_loop_does_not_wait_for_its_training(shop):
    """Ticks go on while a candidate is trained; the champion answers, and nothing is decided twice."""
    give_labelled_rows(shop)
    patient = PatientTrainer()
    trainer = BackgroundTrainer(patient)
    loop = shop.make_loop(trainer=trainer, retrain=RETRAIN)

    assert [loop.tick().phase for _ in range(3)] == ["training"] * 3
    assert [each.kind for each in shop.decisions()] == ["retrain_started"]
    assert shop.traffic.moves == [Traffic(1)]
    patient.is_free.set()
    trainer.wait(60)
    loop.tick()

    assert "Training failed: model `delay` has no version 36" in shop.decisions()[-1].words
    assert len(patient.threads) == 1


def test_refit_is_not_waited_for(shop):
    """The second training of a candidate is asked for again, too, until it is there."""
    shop.start("refitting", candidate=shop.version(), origin="retrain")
    broken = BrokenTrainer(Conflict("step `fit`: no rows"))
    trainer = BackgroundTrainer(broken)
    loop = shop.make_loop(trainer=trainer)

    assert loop.tick().phase == "refitting"
    trainer.wait(60)
    assert loop.tick() is None

    assert "Fitting it again on all rows failed: step `fit`: no rows" in shop.decisions()[-1].words


@step
def fit(model, key):
    return f"{model}@3"


@pipeline
def fit_delay(model: str, datasets: list[str], fit_before: str, refit_of: int, key: str):
    return fit(model, key)


def test_pipeline_runs_beside_the_loop_on_one_store(tmp_path):
    """While a pipeline trains in its thread, others read and write the same store; both are kept."""
    settings = resolve_settings({"store": str(tmp_path), "principal": "ann"}, {}, {})
    with closing(open_app(settings)) as app:
        trainers = [
            BackgroundTrainer(PipelineTrainer(app.pipelines, fit_delay, {}, parallel=2)) for _ in range(4)
        ]
        for place, trainer in enumerate(trainers):
            trainer.train(request(f"key-{place}"))
        for place in range(20):
            app.tracking.start_run(experiment=f"delay-{place}")
            app.pipelines.list_runs()
        assert all(trainer.wait(60) for trainer in trainers)

        refs = [trainer.train(request(f"key-{place}")) for place, trainer in enumerate(trainers)]

        assert refs == [ModelVersionRef("delay", 3)] * 4
        assert [run.status for run in app.pipelines.list_runs().runs] == ["succeeded"] * 4
        assert app.metadata.verify_ledger().ok


def test_store_that_is_closed_under_a_training_does_not_hang(tmp_path):
    """A process that ends lets go of its store; the training gets an error and no one waits for it."""
    settings = resolve_settings({"store": str(tmp_path), "principal": "ann"}, {}, {})
    app = open_app(settings)
    is_closed = threading.Event()

    class Late:
        def train(self, request):
            assert is_closed.wait(60)
            return PipelineTrainer(app.pipelines, fit_delay, {}, parallel=1).train(request)

    trainer = BackgroundTrainer(Late())
    trainer.train(request())
    app.close()
    is_closed.set()

    assert trainer.wait(60)
    with pytest.raises(Unavailable):
        trainer.train(request())
