"""Where the newest rollout of an endpoint stands, for whoever looks from outside the loop."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from paddock.automation.live import LiveRows
from paddock.automation.records import Phase, Progress, Rollout
from paddock.automation.seen import evidence_since, judge_stage
from paddock.automation.service import Automation
from paddock.kernel.errors import NotFound
from paddock.serving import Endpoint, RolloutSpec

_WAITS: Mapping[Phase, str] = {
    "training": "its training to end",
    "verifying": "its golden requests to be replayed",
    "gating": "its gate to be held",
    "refitting": "the gated recipe to be fitted again on all labelled rows",
}


def get_progress(automation: Automation, endpoint: Endpoint, predictions: Path) -> Progress:
    """Return the endpoint's newest rollout, open or ended, and what it waits for.

    predictions: the endpoint's prediction log on this machine. Raises NotFound when there never was one.
    """
    newest = automation.list_rollouts(endpoint.name, limit=1)
    if not newest:
        raise NotFound(
            f"no candidate was on its way to endpoint `{endpoint.name}` yet",
            hint="paddock loop",
        )
    waits_for = _describe_wait(automation, endpoint.spec.rollout, newest[0], predictions)
    return Progress(**msgspec.structs.asdict(newest[0]), waits_for=waits_for)


def _describe_wait(automation: Automation, spec: RolloutSpec, rollout: Rollout, predictions: Path) -> str:
    if not rollout.is_live:
        return _WAITS.get(rollout.phase, "")
    if not predictions.is_dir():
        return "rows and labels that are logged on another machine"
    now = automation.clock.now()
    rows = LiveRows(predictions).once_since(evidence_since(rollout), now)
    verdict = judge_stage(spec, rollout, rows, now)
    return verdict.words if verdict.state == "wait" else "the loop's next look"
