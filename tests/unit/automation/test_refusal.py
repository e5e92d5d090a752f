"""A candidate that the gateway refuses: its rollout ends, once, and the champion answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from loop_kit import RecordedTraffic
from loop_shop import HOUR, OPENED_AT, scores

from paddock.automation import FolderTraffic, Traffic, TrafficStore
from paddock.kernel.errors import Unavailable, VerificationFailed
from paddock.serving import EndpointSpec, GatewayState

REFUSAL = "version 2 is not served: its golden answers differ by up to 0.3"


class RefusingTraffic(RecordedTraffic):
    """A gateway that takes over nothing with version 2 in these roles; counts how often it was asked to."""

    roles = ("champion", "candidate", "shadow")
    asked = 0

    def apply(self, endpoint, model, traffic, *, reason):
        if 2 in [getattr(traffic, role) for role in self.roles]:
            self.asked += 1
            raise VerificationFailed(REFUSAL)
        RecordedTraffic.apply(self, endpoint, model, traffic, reason=reason)


@pytest.mark.parametrize("phase", ["shadow", "canary"])
def test_refused_candidate_is_taken_back(shop, phase):
    """The gateway's own words end the rollout; the champion answers, and it is not tried again."""
    shop.start(phase, candidate=shop.version())
    shop.traffic = RefusingTraffic()
    loop = shop.make_loop()

    assert loop.tick() is None
    assert loop.tick() is None

    assert shop.traffic.asked == 1
    assert shop.traffic.moves == [Traffic(1)]
    assert shop.automation.list_rollouts("delay")[0].phase == "rolled_back"
    kinds = [each.kind for each in shop.decisions()]
    assert kinds == ["candidate_submitted", "candidate_rolled_back"]
    assert f"The reason: the gateway refused it: {REFUSAL}." in shop.decisions()[-1].words
    assert shop.decisions()[-1].evidence["cause"] == REFUSAL


def test_candidate_that_is_refused_at_the_end_of_a_tick_is_taken_back(shop):
    """A stage that begins in a tick and is refused at its end leaves no open rollout either."""
    shop.start("shadow", candidate=shop.version())
    shop.answer(OPENED_AT, [1] * 60, scores(60), shadow=2)
    shop.clock.move_to(OPENED_AT + HOUR)
    shop.traffic = RefusingTraffic()
    shop.traffic.roles = ("candidate",)

    assert shop.make_loop().tick() is None

    assert shop.traffic.moves == [Traffic(1, shadow=2), Traffic(1)]
    assert [each.kind for each in shop.decisions()][1:] == ["canary_started", "candidate_rolled_back"]


def test_refused_champion_is_told(shop):
    """When even the champion is refused there is nothing to take back: the tick raises the words."""
    shop.promote(shop.version())
    shop.traffic = RefusingTraffic()

    with pytest.raises(VerificationFailed, match="is not served"):
        shop.make_loop().tick()

    assert shop.decisions() == ()


@contextmanager
def gateway(state: GatewayState, **status: object) -> Iterator[None]:
    """Answer `/status` where the state folder says that a gateway is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(status).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        state.folder.mkdir(parents=True, exist_ok=True)
        url = f"http://127.0.0.1:{server.server_port}"
        state.address_path.write_text(json.dumps({"pid": 1, "url": url}))
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def folder_traffic(shop):
    """Traffic of an endpoint whose packages are stubs: only the folder's config is looked at."""
    app = shop.app
    app.endpoints.declare("delay", EndpointSpec("delay@champion"))
    return FolderTraffic(TrafficStore(app.endpoints, app.registry, app.objects), app.gateway_folder)


def test_refusal_is_told_from_the_status(shop, folder_traffic):
    """A gateway that refused this revision ends the waiting with its reason."""
    state = GatewayState(shop.app.gateway_folder("delay"))
    with (
        gateway(state, generation=0, refused_generation=1, refusal="its golden rows differ"),
        pytest.raises(VerificationFailed, match="its golden rows differ") as told,
    ):
        folder_traffic.apply("delay", "delay", Traffic(1), reason="first")

    assert told.value.hint == f"see {state.report_path}"


def test_older_refusal_does_not_count(shop, folder_traffic, monkeypatch):
    """What was refused before this revision is no answer to it; without one in time it is Unavailable."""
    monkeypatch.setattr("paddock.automation.traffic._APPLIED_S", 0.2)
    folder_traffic.apply("delay", "delay", Traffic(1), reason="first")
    shop.version()

    with (
        gateway(GatewayState(shop.app.gateway_folder("delay")), generation=0, refused_generation=1),
        pytest.raises(Unavailable, match="did not take over revision 2"),
    ):
        folder_traffic.apply("delay", "delay", Traffic(1, shadow=2), reason="second")


def test_gateway_that_is_down_takes_over_later(shop, folder_traffic):
    """Nobody listens: the revision is made and published, and the gateway finds it when it starts."""
    assert shop.clock.now() == OPENED_AT

    folder_traffic.apply("delay", "delay", Traffic(1), reason="first")

    assert shop.app.endpoints.current("delay").number == 1
    assert GatewayState(shop.app.gateway_folder("delay")).config_path.exists()
