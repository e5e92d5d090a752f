"""From checked rows to logged answers: idempotency, routing, champion, canary, shadow, log."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from struct import pack
from typing import NamedTuple

import numpy as np

from paddock.kernel.errors import IdempotencyConflict, PaddockError, Unavailable
from paddock.kernel.ids import new_id
from paddock.prediction_log import (
    Claim,
    FeatureBlock,
    LoggedAnswer,
    PredictionLog,
    PredictionRecord,
    Stage,
    digest_rows,
)
from paddock.serving.gateway.live import LiveConfig
from paddock.serving.gateway.metrics import GatewayMetrics
from paddock.serving.gateway.rows import Rows
from paddock.serving.gateway.runner import Vector
from paddock.serving.gateway.shadow import ShadowAnswer, ShadowColumn, Shadowing


class Answered(NamedTuple):
    """One answer a row, in the order of the request; prediction ids are 16 bytes each."""

    predictions: Sequence[float]
    prediction_ids: Sequence[bytes]
    versions: Sequence[int]


class _Scored(NamedTuple):
    predictions: Vector
    versions: Sequence[int]
    stages: Sequence[Stage]


class _Group(NamedTuple):
    """Rows of one request that the same version answered."""

    places: Sequence[int]
    predictions: Vector
    version: int
    stage: Stage


class Scorer:
    """Answers the requests of one endpoint. now: microseconds of the gateway's clock."""

    def __init__(
        self,
        log: PredictionLog,
        shadowing: Shadowing,
        metrics: GatewayMetrics,
        now: Callable[[], int],
    ) -> None:
        self._log = log
        self._shadowing = shadowing
        self._metrics = metrics
        self._now = now
        self._logging_later: set[asyncio.Task[None]] = set()

    async def answer(self, live: LiveConfig, rows: Rows, version: int = 0) -> Answered:
        """Answer rows; in log mode `wal` they are on disk on return.

        version: the only one that may answer; 0 lets the config split the rows. Rows asked of one version
        are no part of the traffic: they get no shadow, the champion does not step in for a canary, and the
        log has them as pinned.
        A row whose key was answered before gets that answer again. Raises InvalidRows, WorkerFailed,
        QueueFull, or what the log refuses with, and IdempotencyConflict for a key of other features or of
        an answer that is not by `version`.
        """
        asked = _Asked(live, rows, version)
        if not any(rows.keys):
            return await self._answer_new(asked, rows.pack(), b"", Claim())
        block = rows.pack()
        packed = digest_rows(block, rows.count)
        digests = [packed[at : at + 8] for at in range(0, len(packed), 8)]
        claim = self._log.answers.claim(rows.keys, digests)
        if not claim.known and not claim.waiting:
            return await self._answer_new(asked, block, packed, claim)
        try:
            asked.check_version(claim.known)
        except IdempotencyConflict as error:
            self._log.answers.release(claim, error)
            raise
        return await self._answer_rest(asked, digests, claim)

    async def finish(self) -> None:
        """Wait for what is still to be logged after its answer, in mode `bounded`."""
        while self._logging_later:
            await asyncio.wait(set(self._logging_later))

    async def _answer_rest(self, asked: "_Asked", digests: Sequence[bytes], claim: Claim) -> Answered:
        """Answer the rows that are new, and put those known or under way beside them."""
        rows = asked.rows
        answers: dict[int, LoggedAnswer] = dict(claim.known)
        new = [
            place for place in range(rows.count) if place not in claim.known and place not in claim.waiting
        ]
        if new:
            rest = Claim(keys={at: claim.keys[place] for at, place in enumerate(new) if place in claim.keys})
            packed = b"".join(digests[place] for place in new)
            taken = rows.take(new)
            got = await self._answer_new(asked._replace(rows=taken), taken.pack(), packed, rest)
            answers |= dict(zip(new, _logged(got, packed), strict=True))
        if claim.waiting:
            # `wait` and not `gather`: other requests wait for the same futures
            await asyncio.wait(set(claim.waiting.values()))
            answers |= {place: future.result() for place, future in claim.waiting.items()}
            asked.check_version(answers)
        ordered = [answers[place] for place in range(rows.count)]
        return Answered(
            [one.prediction for one in ordered],
            [one.prediction_id for one in ordered],
            [one.version for one in ordered],
        )

    async def _answer_new(
        self, asked: "_Asked", block: FeatureBlock, digests: bytes, claim: Claim
    ) -> Answered:
        """Score and log rows that were not answered before; `claim` is settled or released."""
        live, rows, version = asked
        shadow = None if version else self._shadowing.offer(live, rows)
        try:
            ids = [bytes.fromhex(new_id()) for _ in range(rows.count)]
            scored = await (self._score_pinned(asked) if version else self._score(live, rows, ids))
            draft = _Draft(live.config.model, self._now(), rows, block, ids, digests, scored)
            if self._log.mode == "wal":
                # no time limit from here on: what was logged must be remembered under its key
                await self._log.append(draft.record(await self._shadowing.collect(shadow)))
            else:
                self._log_later(draft, shadow)
        except BaseException as error:
            self._shadowing.discard(shadow)
            unknown = Unavailable("the request with this key did not end", hint="send it again")
            self._log.answers.release(claim, error if isinstance(error, PaddockError) else unknown)
            raise
        answered = Answered(scored.predictions.tolist(), ids, scored.versions)
        if claim.keys:
            self._log.answers.settle(claim, dict(enumerate(_logged(answered, digests))))
        return answered

    def _log_later(self, draft: "_Draft", shadow: ShadowAnswer | None) -> None:
        async def log() -> None:
            await self._log.append(draft.record(await self._shadowing.collect(shadow)))

        task = asyncio.create_task(log())
        self._logging_later.add(task)
        task.add_done_callback(self._logging_later.discard)

    async def _score_pinned(self, asked: "_Asked") -> _Scored:
        live, rows, version = asked
        predictions = await live.ask(live.runners[version], rows)
        return _Scored(predictions, [version] * rows.count, [Stage.PINNED] * rows.count)

    async def _score(self, live: LiveConfig, rows: Rows, ids: Sequence[bytes]) -> _Scored:
        champion = live.config.champion_version
        if not live.is_split:
            predictions = await live.ask(live.champion, rows)
            return _Scored(predictions, [champion] * rows.count, [Stage.CHAMPION] * rows.count)
        places_of: dict[int, list[int]] = {}
        for place, key in enumerate(_routing_keys(rows, ids)):
            places_of.setdefault(live.route(key), []).append(place)
        groups = await asyncio.gather(
            *[self._score_group(live, rows, version, places) for version, places in places_of.items()]
        )
        merged = _Scored(np.empty(rows.count), [champion] * rows.count, [Stage.CHAMPION] * rows.count)
        versions, stages = list(merged.versions), list(merged.stages)
        for group in groups:
            merged.predictions[group.places] = group.predictions
            for place in group.places:
                versions[place], stages[place] = group.version, group.stage
        return _Scored(merged.predictions, versions, stages)

    async def _score_group(self, live: LiveConfig, rows: Rows, version: int, places: Sequence[int]) -> _Group:
        """Answer some rows with one version; the champion steps in for a canary that cannot."""
        group = rows if len(places) == rows.count else rows.take(places)
        champion = live.config.champion_version
        if version == champion:
            return _Group(places, await live.ask(live.champion, group), champion, Stage.CHAMPION)
        try:
            return _Group(places, await live.ask(live.runners[version], group), version, Stage.CANARY)
        except Unavailable:
            self._metrics.count_fallback(group.count)
            return _Group(places, await live.ask(live.champion, group), champion, Stage.FALLBACK)


class _Asked(NamedTuple):
    """One request. version: the only one that may answer, 0 for any."""

    live: LiveConfig
    rows: Rows
    version: int

    def check_version(self, answers: Mapping[int, LoggedAnswer]) -> None:
        """Raise IdempotencyConflict when another version gave one of the answers, by row."""
        others = [
            f"idempotency key `{self.rows.keys[row][:80]}` was answered by version {answer.version}"
            for row, answer in sorted(answers.items())
            if self.version not in (0, answer.version)
        ]
        if others:
            raise IdempotencyConflict(
                f"{others[0]}, not by version {self.version}",
                hint="use a new key to ask another version",
                problems=tuple(others[:20]),
            )


class _Draft(NamedTuple):
    """A record that may still wait for its shadow."""

    model: str
    received_at: int
    rows: Rows
    block: FeatureBlock
    ids: Sequence[bytes]
    digests: bytes
    scored: _Scored

    def record(self, shadow: ShadowColumn) -> PredictionRecord:
        rows, scored, count = self.rows, self.scored, self.rows.count
        return PredictionRecord(
            model=self.model,
            received_at=self.received_at,
            features=self.block,
            prediction_ids=b"".join(self.ids),
            event_times=pack(f"<{count}q", *rows.event_times),
            versions=pack(f"<{count}I", *scored.versions),
            stages=bytes(scored.stages),
            predictions=scored.predictions.astype("<f8", copy=False).tobytes(),
            keys=rows.keys if self.digests else (),
            routing_keys=rows.routing_keys,
            shadow_version=shadow.version,
            shadow_predictions=shadow.predictions,
            digests=self.digests,
        )


def _routing_keys(rows: Rows, ids: Sequence[bytes]) -> list[str]:
    """Return by what each row is routed: its routing key, else its idempotency key, else its id."""
    nothing = [""] * rows.count
    return [
        routing or key or one.hex()
        for routing, key, one in zip(rows.routing_keys or nothing, rows.keys or nothing, ids, strict=True)
    ]


def _logged(answered: Answered, digests: bytes) -> list[LoggedAnswer]:
    return [
        LoggedAnswer(one, digests[8 * at : 8 * at + 8], version, prediction)
        for at, (prediction, one, version) in enumerate(zip(*answered, strict=True))
    ]
