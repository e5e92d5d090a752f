"""Which step runs when: each as soon as what it needs is there, at most `parallel` at once."""

import contextvars
import queue
import threading
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Generic, Protocol, Self, TypeVar

from paddock.pipelines.graph import StepCall


class Outcome(Protocol):
    """How one step ended."""

    @property
    def has_value(self) -> bool: ...

    @property
    def stop(self) -> BaseException | None:
        """What the step raised to end the whole process, or None."""
        ...

    def without_value(self) -> Self:
        """Return the same outcome without the value, to let its memory go."""
        ...


T = TypeVar("T", bound=Outcome)


def run_graph(
    calls: Sequence[StepCall],
    *,
    parallel: int,
    run: Callable[[StepCall, Mapping[int, T]], T],
    skip: Callable[[StepCall, StepCall], T],
    keep: Container[int] = (),
) -> tuple[T, ...]:
    """Run every call once and return the outcomes in order of position.

    run: given the outcomes of the calls it needs; must not raise but for faults of Paddock itself, which end
    the whole run. skip: makes the outcome of a call (first) that needs one without a value (second).
    keep: positions whose values are still needed at the end; any other value is let go after its last taker.
    A step that fails stops only those that need it; what an outcome has as `stop` is raised here. Steps run
    in daemon threads: on KeyboardInterrupt this returns to the caller at once, and a step that cannot be
    stopped does not hold up the process's end.
    """
    state = _State(calls, run, skip, keep)
    while not state.is_done:
        state.start_ready(parallel)
        state.take_one()
    return tuple(state.outcomes[call.position] for call in calls)


class _State(Generic[T]):
    def __init__(
        self,
        calls: Sequence[StepCall],
        run: Callable[[StepCall, Mapping[int, T]], T],
        skip: Callable[[StepCall, StepCall], T],
        keep: Container[int],
    ) -> None:
        self.calls = calls
        self.run = run
        self.skip = skip
        self.keep = keep
        self.takers = Counter(position for call in calls for position in call.needs)
        self.outcomes: dict[int, T] = {}
        self.waiting = {call.position: set(call.needs) for call in calls}
        self.ready = [call for call in calls if not call.needs]
        self.running = 0
        self.finished: queue.SimpleQueue[tuple[StepCall, T | BaseException]] = queue.SimpleQueue()

    @property
    def is_done(self) -> bool:
        return len(self.outcomes) == len(self.calls)

    def start_ready(self, parallel: int) -> None:
        while self.ready and self.running < parallel:
            call = self.ready.pop(0)
            needed = {position: self.outcomes[position] for position in call.needs}
            context = contextvars.copy_context()
            threading.Thread(
                target=context.run, args=(self._work, call, needed), name=f"step {call.name}", daemon=True
            ).start()
            self.running += 1

    def take_one(self) -> None:
        call, outcome = self.finished.get()
        self.running -= 1
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome.stop is not None:
            raise outcome.stop
        self._settle(call, outcome)

    def _work(self, call: StepCall, needed: Mapping[int, T]) -> None:
        try:
            self.finished.put((call, self.run(call, needed)))
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits, and raised there
            self.finished.put((call, error))

    def _settle(self, call: StepCall, outcome: T) -> None:
        self.outcomes[call.position] = outcome
        for position in (*call.needs, call.position):
            self.takers[position] -= position != call.position
            if not self.takers[position] and position not in self.keep and position in self.outcomes:
                self.outcomes[position] = self.outcomes[position].without_value()
        for later in self.calls[call.position + 1 :]:
            needs = self.waiting[later.position]
            if call.position not in needs or later.position in self.outcomes:
                continue
            needs.remove(call.position)
            if not outcome.has_value:
                self._settle(later, self.skip(later, call))
            elif not needs:
                self.ready.append(later)
