"""What was answered under which idempotency key, for as many of the newest keys as fit.

Lives in one event loop; nothing here is safe to share between threads.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct

from paddock.kernel.errors import IdempotencyConflict, PaddockError
from paddock.prediction_log.records import LoggedAnswer

_ANSWER = Struct("<16s8sId")


@dataclass(slots=True)
class _InFlight:
    digest: bytes
    future: asyncio.Future[LoggedAnswer] | None = None


@dataclass(slots=True)
class Claim:
    """What is to be done with the rows of one request.

    known: rows answered before; waiting: rows whose answer another row is just getting;
    keys: the keys this claim holds, by row. All other rows are to be scored.
    """

    known: dict[int, LoggedAnswer] = field(default_factory=dict)
    waiting: dict[int, asyncio.Future[LoggedAnswer]] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)


class AnswerIndex:
    """Remembers at least the newest `capacity` keys and at most twice as many (about 250 bytes each)."""

    def __init__(self, capacity: int) -> None:
        self._capacity = max(1, capacity)
        self._young: dict[str, bytes] = {}
        self._old: dict[str, bytes] = {}
        self._in_flight: dict[str, _InFlight] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, key: str) -> LoggedAnswer | None:
        packed = self._young.get(key) or self._old.get(key)
        return LoggedAnswer(*_ANSWER.unpack(packed)) if packed else None

    def remember(self, key: str, answer: LoggedAnswer) -> None:
        self._young[key] = _ANSWER.pack(*answer)
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}

    def claim(self, keys: Sequence[str], digests: Sequence[bytes]) -> Claim:
        """Sort the rows of a request into known, waiting and its own; "" is no key.

        keys, digests: one for each row. What is claimed must be given to `settle` or `release`.
        Raises IdempotencyConflict, claiming nothing, when a key stands for other features.
        """
        claim = Claim()
        conflicts = []
        for row, (key, digest) in enumerate(zip(keys, digests, strict=True)):
            if not key:
                continue
            answer = self.find(key)
            pending = None if answer else self._in_flight.get(key)
            known_digest = answer.digest if answer else pending.digest if pending else digest
            if known_digest != digest:
                conflicts.append(key)
            elif answer:
                claim.known[row] = answer
            elif pending:
                pending.future = pending.future or asyncio.get_running_loop().create_future()
                claim.waiting[row] = pending.future
            else:
                self._in_flight[key] = _InFlight(digest)
                claim.keys[row] = key
        if conflicts:
            error = _conflict(conflicts)
            self.release(claim, error)
            raise error
        return claim

    def settle(self, claim: Claim, answers: Mapping[int, LoggedAnswer]) -> None:
        """Remember the answers of the claimed rows and hand them to whoever waits for them."""
        for row, key in claim.keys.items():
            self.remember(key, answers[row])
            pending = self._in_flight.pop(key)
            if pending.future and not pending.future.done():
                pending.future.set_result(answers[row])

    def release(self, claim: Claim, error: PaddockError) -> None:
        """Give the claimed keys free after a failure; whoever waits for them fails with `error`."""
        for key in claim.keys.values():
            pending = self._in_flight.pop(key)
            if pending.future and not pending.future.done():
                pending.future.set_exception(error)
                pending.future.exception()  # marks it as seen: the one who waits may be gone


def _conflict(keys: Sequence[str]) -> IdempotencyConflict:
    problems = tuple(f"idempotency key `{key[:80]}` was used with other features" for key in keys[:20])
    return IdempotencyConflict(
        problems[0] if len(keys) == 1 else f"{len(keys)} idempotency keys were used with other features",
        hint="use a new key for a new row",
        problems=problems,
    )
