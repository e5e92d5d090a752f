"""A candidate that a real gateway refuses, with the gateway run by somebody else than the loop."""

from pathlib import Path

import pytest
from gateway_kit import Client
from loop_kit import FEATURES, flights, labels_of, matrix_of, register
from loop_shop import OPENED_AT, Shop
from sklearn.linear_model import LogisticRegression

from paddock.automation import FolderTraffic, TrafficStore
from paddock.evaluation import Trial
from paddock.serving import EndpointSpec, GatewayOptions, GatewayState, Route, publish, start_gateway


@pytest.fixture
def shop(tmp_path: Path):
    """Champion version 1 is a sound model; version 2 had two columns swapped when it was packed."""
    shop = Shop(tmp_path)
    table = flights(OPENED_AT, 400)
    estimator = LogisticRegression().fit(matrix_of(table), labels_of(table))
    for order in (FEATURES, ("rain", "wind", "snow")):
        version = register(shop.app.objects, shop.app.registry, estimator, table, order=order)
        scores = estimator.predict_proba(matrix_of(table))[:, 1]
        trial = Trial("delay", version.package_digest, labels_of(table), scores, draws=20)
        report = shop.app.evaluation.judge(trial, shop.loop.plan.gates)
        shop.app.registry.attach_report(version.ref, report.report_id)
    shop.promote(1)
    shop.app.endpoints.declare("delay", EndpointSpec("delay@champion"))
    yield shop
    shop.close()


@pytest.mark.parametrize("phase", ["shadow", "canary"])
def test_candidate_that_the_gateway_refuses_is_taken_back(shop: Shop, phase: str):
    """The gateway's reason ends the rollout; a new revision gives the champion everything, and is served."""
    app = shop.app
    state = GatewayState(app.gateway_folder("delay"))
    shop.traffic = FolderTraffic(TrafficStore(app.endpoints, app.registry, app.objects), app.gateway_folder)
    loop = shop.make_loop()
    loop.settle()
    publish(state, app.endpoints.current("delay").config, app.objects)
    with start_gateway(GatewayOptions(state=state.folder, port=0, drain_grace_s=0.0)) as gateway:
        gateway.wait_ready(generation=1)
        shop.start(phase, candidate=2)

        assert loop.tick() is None

        gateway.wait_ready(generation=3)
        client = Client(gateway.url)
        status = client.status()
        answered = client.infer({name: [0.5] for name in FEATURES}).versions
        client.close()
    assert app.automation.list_rollouts("delay")[0].phase == "rolled_back"
    decision = shop.decisions()[-1]
    assert decision.kind == "candidate_rolled_back"
    assert "the gateway refused it: version 2 is not served: its golden rows" in decision.words
    assert app.endpoints.current("delay").config.routes == (Route(1, 1.0),)
    assert (status["generation"], status["refused_generation"], answered) == (3, 0, [1])
