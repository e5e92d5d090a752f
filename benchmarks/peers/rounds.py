"""Steps carried out on several servers in turn, again and again, and what came of them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from peers.load import LIMIT_S, Load, NoAnswer, drive
from peers.plans import Step
from peers.processes import Server
from peers.stage import PADDOCK, Stage

LONG_S = 8.0  # a step that takes longer is not repeated: it says enough


@dataclass(slots=True)
class Taken:
    """What one server needed for a step: a number for each repetition, CPU time over all of them.

    p50s_ms and p99s_ms: of a request; rates: requests a second; is_silent: it did not answer in LIMIT_S.
    """

    p50s_ms: list[float] = field(default_factory=list)
    p99s_ms: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu_total_s: float = 0.0
    answers: int = 0
    failures: int = 0
    fault: str = ""
    is_silent: bool = False

    def add(self, load: Load, cpu_total_s: float) -> None:
        self.cpu_total_s += cpu_total_s
        self.answers += len(load.latencies_s)
        self.failures += load.failures
        self.fault = load.fault or self.fault
        if load.latencies_s:
            self.p50s_ms.append(1e3 * load.latencies_s[len(load.latencies_s) // 2])
            self.p99s_ms.append(1e3 * load.latencies_s[len(load.latencies_s) * 99 // 100])
            self.rates.append(len(load.latencies_s) / load.elapsed_s)

    @property
    def p50_ms(self) -> float:
        return median(self.p50s_ms)

    @property
    def p99_ms(self) -> float:
        return median(self.p99s_ms)

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def cpu_ms(self) -> float:
        """CPU time of the server and its database for one answer."""
        return 1e3 * self.cpu_total_s / max(self.answers, 1)


Results = dict[str, dict[str, Taken]]
"""What came of each step, by the name of the step and the label of the server."""


@dataclass(slots=True)
class Rounds:
    """Carries out steps on the two servers of a stage and keeps what came of it."""

    stage: Stage
    repeats: int
    results: Results = field(default_factory=dict)

    def measure(self, steps: Sequence[Step], paddock: Server, peer: Server, workers: int) -> Server:
        """Carry out each step on both in turn; return the peer's server, a new one if it fell silent."""
        for step in steps:
            known = self.results.setdefault(step.name, {})
            if step.plan.clients == 1 and any(taken.is_silent for taken in known.values()):
                continue  # one request at a time: other workers do not make it faster
            for _ in range(self.repeats):
                for server in (peer, paddock):
                    self._once(step, server, known.setdefault(server.label, Taken()))
                if known[peer.label].is_silent:
                    self.stage.stop(peer)  # it goes on with what nobody waits for any more
                    peer = self.stage.start_mlflow(workers)
                    break
            self._tell(step, known)
        return peer

    def _once(self, step: Step, server: Server, taken: Taken) -> None:
        if taken.p50s_ms and taken.p50s_ms[-1] > 1e3 * LONG_S:
            return
        before = self.stage.cpu_s(server)
        try:
            load = drive(server.port, step.plan)
        except NoAnswer:
            taken.is_silent = True
            if server.label == PADDOCK:
                sys.exit(f"error: Paddock gave no answer in {LIMIT_S:.0f} s: {step.name}")
            return
        taken.add(load, self.stage.cpu_s(server) - before)
        if server.label == PADDOCK and load.failures:
            sys.exit(f"error: Paddock failed {load.failures} times: {step.name}: {load.fault}")

    def _tell(self, step: Step, known: dict[str, Taken]) -> None:
        """Say on stderr how far it is: stdout holds the report alone."""
        words = [
            f"{label} {'no answer' if taken.is_silent or not taken.p50s_ms else f'{taken.p50_ms:.2f} ms'}"
            for label, taken in known.items()
        ]
        print(f"{self.stage.kind}: {step.name}: {'; '.join(words)}", file=sys.stderr, flush=True)
