"""The loop as a state machine: people, gateways and crashes in any order, over the real services."""

import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from loop_shop import HOUR, ROLLOUT, Shop, labels, scores

from paddock.automation import Traffic
from paddock.kernel.errors import Conflict, Unavailable
from paddock.kernel.refs import ModelVersionRef

ENDINGS = {
    "promoted": ("champion_replaced",),
    "refused": ("candidate_refused",),
    "rolled_back": ("candidate_rolled_back", "candidate_withdrawn"),
}
TOLD = {kind for kinds in ENDINGS.values() for kind in kinds}
SPEC = msgspec.structs.replace(ROLLOUT, labelled_rows=0)


class LoopMachine(RuleBasedStateMachine):
    """Rollouts begin in shadow: verification and gate need model workers and are tested elsewhere."""

    @initialize()
    def open_shop(self):
        self.folder = Path(tempfile.mkdtemp(prefix="paddock-test-"))
        self.shop = Shop(self.folder)
        self.shop.promote(self.shop.version(), reason="first release")
        self.loop = self.shop.make_loop(spec=SPEC)
        self.is_settled = False

    def teardown(self):
        if hasattr(self, "shop"):
            self.shop.close()
            shutil.rmtree(self.folder)

    @property
    def champion(self):
        return self.shop.app.registry.get("delay@champion").version

    @property
    def rollout(self):
        return self.shop.automation.find_open("delay")

    @precondition(lambda self: self.rollout is None)
    @rule()
    def hand_in(self):
        """A person hands in a version that has passed its gate."""
        self.shop.start("shadow", candidate=self.shop.version(), champion=self.champion)
        self.is_settled = False

    @precondition(lambda self: self.rollout is not None)
    @rule()
    def hand_in_another(self):
        """A second candidate is refused while one is under way."""
        try:
            self.shop.start("shadow", candidate=self.shop.version(), champion=self.champion)
        except Conflict:
            return
        raise AssertionError("two rollouts of one endpoint were opened")

    @rule(is_good=st.booleans())
    def fly(self, is_good):
        """An hour passes: whoever has traffic answers, and labels come at once."""
        shop, traffic = self.shop, (self.shop.traffic.moves or [Traffic(self.champion)])[-1]
        at = shop.clock.now()
        self._answer(traffic.champion, 200, at, good=True, shadow=traffic.shadow)
        if traffic.weight:
            self._answer(traffic.candidate, 100, at + HOUR / 4, good=is_good)
        shop.clock.move_to(at + HOUR)

    def _answer(self, version, count, at, *, good, shadow=0):
        ids = self.shop.answer(at, [version] * count, scores(count, good=good), shadow=shadow)
        self.shop.label(ids, labels(count), at + HOUR / 2)

    @rule()
    def tick(self):
        """The loop looks; a gateway that is away makes it raise Unavailable, and nothing else."""
        try:
            self.loop.tick()
        except Unavailable:
            assert self.shop.traffic.down is not None
        else:
            self.is_settled = True

    @rule()
    def kill(self):
        """The process ends, and another one takes over with nothing in memory."""
        self.loop = self.shop.make_loop(spec=SPEC)

    @rule(is_away=st.booleans())
    def gateway(self, is_away):
        self.shop.traffic.down = Unavailable("the gateway is away") if is_away else None

    @rule()
    def promote_another(self):
        """A person makes a version champion past the loop."""
        self.shop.promote(self.shop.version())
        self.is_settled = False

    @precondition(lambda self: self.rollout is not None)
    @rule()
    def promote_candidate(self):
        """A person does not wait for the rollout."""
        self.shop.app.registry.promote(
            ModelVersionRef("delay", self.rollout.candidate), "champion", reason="now"
        )
        self.is_settled = False

    @precondition(lambda self: self.rollout is not None)
    @rule()
    def withdraw(self):
        """A person wants the candidate no more."""
        self.shop.automation.withdraw("delay", reason="complaints")
        self.is_settled = False

    @rule()
    def roll_back(self):
        """A person takes the champion back, if there was one before it."""
        try:
            self.shop.app.registry.rollback("delay", reason="no")
        except Conflict:
            return
        self.is_settled = False

    @invariant()
    def traffic_is_what_the_store_says(self):
        """After a tick that went through, the champion answers, and a candidate in its phase only."""
        if not getattr(self, "is_settled", False) or self.shop.traffic.down is not None:
            return
        rollout, traffic = self.rollout, self.shop.traffic.moves[-1]
        assert traffic.champion == self.champion
        if rollout is None:
            assert traffic == Traffic(self.champion)
        elif rollout.phase == "shadow":
            assert traffic == Traffic(self.champion, shadow=rollout.candidate)
        else:
            assert traffic == Traffic(self.champion, rollout.candidate, SPEC.canary[rollout.step])

    @invariant()
    def every_ended_rollout_is_told_once(self):
        """Each rollout has one ending in the ledger, of its kind, once it has ended, and none before."""
        if not hasattr(self, "shop"):
            return
        decisions = self.shop.decisions()
        for rollout in self.shop.automation.list_rollouts("delay"):
            told = [
                decision.kind
                for decision in decisions
                if decision.rollout_id == rollout.rollout_id and decision.kind in TOLD
            ]
            assert len(told) == (0 if rollout.is_open else 1)
            assert rollout.is_open or told[0] in ENDINGS[rollout.phase]

    @invariant()
    def a_candidate_judged_bad_is_not_promoted_by_the_loop(self):
        """What the loop made champion was not worse by three standard errors when it did."""
        if not hasattr(self, "shop"):
            return
        for decision in self.shop.decisions():
            seen = decision.evidence
            if (
                decision.kind == "champion_replaced"
                and seen.get("standard_error")
                and "made it" not in decision.words
            ):
                assert seen["candidate_auc"] > seen["champion_auc"] - 3 * seen["standard_error"]


LoopMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLoopMachine = LoopMachine.TestCase
