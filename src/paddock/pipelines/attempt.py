"""One step of one run: look it up, or run it, and say how it went."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Protocol

from paddock.kernel.errors import IntegrityError, NotFound
from paddock.kernel.purity import PurityWatch, watch_purity
from paddock.pipelines import rules
from paddock.pipelines.failures import STOPS, format_error
from paddock.pipelines.fingerprint import fingerprint
from paddock.pipelines.graph import StepCall
from paddock.pipelines.inputs import Inputs, StepValue, keep_value, restore_value, take_inputs
from paddock.pipelines.logs import StepLog, capture_log
from paddock.pipelines.records import CacheEntry, StepRun
from paddock.pipelines.rules import KeyParts
from paddock.pipelines.serializers import NoSerializerError


class StepStore(Protocol):
    """Where outputs are kept and step runs are written. Safe to share between threads."""

    def find_entries(self, key: str, step: str) -> tuple[CacheEntry | None, CacheEntry | None]:
        """Return the entry of the key, and the newest entry of the step (for the reason of a miss)."""
        ...

    def read_body(self, digest: str) -> bytes:
        """Return the bytes, verified; NotFound or IntegrityError when they are not what was written."""
        ...

    def note(self, step: StepRun, *, log: str = "") -> None:
        """Have the state of a step written soon."""
        ...

    def keep(self, step: StepRun, value: StepValue, entry: CacheEntry | None, *, log: str = "") -> None:
        """Store a value and its cache entry, and have the state written after both."""
        ...


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How a step ended.

    value: None for one that failed, or whose value nobody needs any more. stop: what it raised to end the
    whole process, None for any other end.
    """

    step: StepRun
    value: StepValue | None
    stop: BaseException | None = None

    @property
    def has_value(self) -> bool:
        return self.step.state in ("succeeded", "cached")

    def without_value(self) -> "StepOutcome":
        return replace(self, value=None)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Makes the attempts of one pipeline run. environment_digest: of the installed packages."""

    store: StepStore
    queued: tuple[StepRun, ...]
    environment_digest: str
    now: Callable[[], datetime]

    def run(self, call: StepCall, needed: Mapping[int, StepOutcome]) -> StepOutcome:
        """Return the cached output of the call if there is a sound one, else run the step."""
        values = {position: outcome.value for position, outcome in needed.items() if outcome.value}
        queued = replace(self.queued[call.position], started_at=self.now())
        try:  # reading them calls foreign code, too
            inputs = take_inputs(call, values)
            parts, problem = self._key_parts(call, inputs)
        except BaseException as error:  # noqa: BLE001 - the step cannot have its inputs: its outcome
            return self._failed(queued, error, StepLog())
        step = replace(queued, inputs=tuple(inputs.inputs), reason=problem)
        if parts is not None:
            step = replace(step, cache_key=rules.cache_key(parts), code_digest=parts.code_digest)
            entry, reason, value = self._look_up(parts, step.cache_key)
            step = replace(step, reason=reason)
            if entry is not None and value is not None:
                return self._from_cache(step, entry, value)
        step = replace(step, state="running")
        self.store.note(step)
        return self._execute(call, step, parts, inputs)

    def skip(self, call: StepCall, missing: StepCall) -> StepOutcome:
        """Return the outcome of a call that needs a step which has no value."""
        reason = f"step `{missing.name}`, which it needs, has no value"
        step = replace(self.queued[call.position], state="skipped", ended_at=self.now(), reason=reason)
        self.store.note(step)
        return StepOutcome(step, None)

    def _key_parts(self, call: StepCall, inputs: Inputs) -> tuple[KeyParts | None, str]:
        if not call.step.is_cached:
            return None, "not cached: the step is declared with `cache=False`"
        code = fingerprint(call.step.function)
        if problem := code.problem or inputs.problem:
            return None, f"not cached: {rules.clean_text(problem)}"
        return KeyParts(call.step.name, code.digest, inputs.digest, self.environment_digest), ""

    def _look_up(self, parts: KeyParts, key: str) -> tuple[CacheEntry | None, str, StepValue | None]:
        entry, latest = self.store.find_entries(key, parts.step)
        if entry is None:
            return None, rules.explain_miss(parts, latest), None
        try:
            body = self.store.read_body(entry.output_digest)
            value = restore_value(parts.step, entry.output_kind, entry.output_digest, body)
        except IntegrityError:
            return None, "the kept output is damaged, so the step ran again", None
        except NotFound:
            return None, "the kept output is gone, so the step ran again", None
        except NoSerializerError as error:
            return None, f"the kept output cannot be read ({error}), so the step ran again", None
        return entry, f"same code, inputs and packages as step run `{entry.step_run_id}`", value

    def _from_cache(self, step: StepRun, entry: CacheEntry, value: StepValue) -> StepOutcome:
        done = replace(
            step,
            state="cached",
            output_kind=entry.output_kind,
            output_digest=entry.output_digest,
            output_bytes=entry.output_bytes,
            ended_at=self.now(),
        )
        self.store.note(done)
        return StepOutcome(done, value)

    def _execute(self, call: StepCall, step: StepRun, parts: KeyParts | None, inputs: Inputs) -> StepOutcome:
        log = StepLog()
        try:
            with capture_log(log), watch_purity() as watch:
                output = call.step.call(inputs.arguments)
            value = keep_value(step.name, output)
            problem = self._why_not_kept(inputs, value, watch) if parts is not None else step.reason
        except BaseException as error:  # noqa: BLE001 - a step is foreign code: what it raises is its outcome
            return self._failed(step, error, log)
        done = replace(
            step,
            state="succeeded",
            output_kind=value.kind,
            output_digest=value.digest,
            output_bytes=len(value.body),
            ended_at=self.now(),
            reason=problem or step.reason,
        )
        if watch.impurity and parts is not None:
            log.write(f"{problem}\n")
        entry = None if problem or parts is None else _entry(done, parts)
        self.store.keep(done, value, entry, log=log.text())
        return StepOutcome(done, value)

    def _why_not_kept(self, inputs: Inputs, value: StepValue, watch: PurityWatch) -> str:
        if watch.impurity:
            return f"not cached: {rules.clean_text(watch.impurity)}"
        if not value.digest:
            return f"not cached: its output: {rules.clean_text(value.problem)}"
        if changed := inputs.changed():
            names = ", ".join(f"`{name}`" for name in changed)
            return f"not cached: {names} changed while the step ran"
        return ""

    def _failed(self, step: StepRun, error: BaseException, log: StepLog) -> StepOutcome:
        # the first two frames are ours
        frames = _after(_after(error.__traceback__))
        log.write("".join(traceback.format_exception(type(error), error, frames)))
        reason = rules.clean_text(format_error(error))
        failed = replace(step, state="failed", ended_at=self.now(), reason=reason)
        self.store.note(failed, log=log.text())
        return StepOutcome(failed, None, stop=error if isinstance(error, STOPS) else None)


def _after(frames: TracebackType | None) -> TracebackType | None:
    return frames.tb_next if frames is not None else None


def _entry(step: StepRun, parts: KeyParts) -> CacheEntry:
    return CacheEntry(
        cache_key=step.cache_key,
        step=parts.step,
        step_run_id=step.step_run_id,
        output_kind=step.output_kind,
        output_digest=step.output_digest,
        output_bytes=step.output_bytes,
        code_digest=parts.code_digest,
        inputs_digest=parts.inputs_digest,
        environment_digest=parts.environment_digest,
    )
