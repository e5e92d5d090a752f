"""Idempotency: the same key gets the same answer."""

import asyncio

import pytest

from paddock.kernel.errors import IdempotencyConflict, Unavailable
from paddock.prediction_log import AnswerIndex, LoggedAnswer, LogOptions, digest_rows, open_log, pack_features
from paddock.prediction_log.records import FeatureColumn

ANSWER = LoggedAnswer(b"i" * 16, b"d" * 8, 3, 0.25)


def test_unknown_key_is_claimed_and_then_known():
    """A key is scored once; afterwards its answer is known with the same prediction id."""
    index = AnswerIndex(10)

    first = index.claim(["k", ""], [ANSWER.digest, b"x" * 8])
    index.settle(first, {0: ANSWER})
    second = index.claim(["k"], [ANSWER.digest])

    assert (first.keys, first.known) == ({0: "k"}, {})
    assert (second.keys, second.known) == ({}, {0: ANSWER})


def test_second_request_waits_for_the_first():
    """A key that is being answered is not scored again: the second gets the first one's answer."""

    async def run() -> LoggedAnswer:
        index = AnswerIndex(10)
        first = index.claim(["k"], [ANSWER.digest])
        second = index.claim(["k"], [ANSWER.digest])
        index.settle(first, {0: ANSWER})
        return await second.waiting[0]

    assert asyncio.run(run()) == ANSWER


def test_failure_of_the_first_frees_the_key():
    """When the first fails, whoever waits fails too, and a retry may score again."""

    async def run() -> None:
        index = AnswerIndex(10)
        first = index.claim(["k"], [ANSWER.digest])
        second = index.claim(["k"], [ANSWER.digest])
        index.release(first, Unavailable("worker is down"))
        with pytest.raises(Unavailable):
            await second.waiting[0]
        assert index.claim(["k"], [ANSWER.digest]).keys == {0: "k"}

    asyncio.run(run())


def test_same_key_with_other_features_is_a_conflict():
    """The key of a logged or a waiting row does not stand for other features, and nothing stays claimed."""
    index = AnswerIndex(10)
    index.remember("k", ANSWER)

    with pytest.raises(IdempotencyConflict, match="`k` was used with other features"):
        index.claim(["new", "k"], [b"n" * 8, b"other..."])

    assert index.claim(["new"], [b"n" * 8]).keys == {0: "new"}


def test_newest_keys_are_kept():
    """At least the newest `capacity` keys are remembered, and never more than twice as many."""
    index = AnswerIndex(100)

    for n in range(1000):
        index.remember(f"k{n}", ANSWER)

    assert all(index.find(f"k{n}") == ANSWER for n in range(900, 1000))
    assert len(index) <= 200
    assert index.find("k0") is None


def test_answers_survive_a_restart(tmp_path, make_record):
    """A key answered before the restart is answered the same after it."""
    record = make_record(4, 2, keys=["", "k5"])
    asyncio.run(_append(tmp_path, record))

    log = open_log(tmp_path, LogOptions())
    answer = log.answers.find("k5")
    log.close()

    assert answer == LoggedAnswer(record.prediction_ids[16:], record.digests[8:], 3, 5.0)


def test_newest_keys_win_over_segments_at_restart(tmp_path, make_record):
    """With room for few keys, those of the last segments are the ones that come back."""
    for n in range(6):
        asyncio.run(_append(tmp_path, make_record(n, keys=[f"k{n}"])))

    log = open_log(tmp_path, LogOptions(idempotency_keys=2))
    found = [n for n in range(6) if log.answers.find(f"k{n}")]
    log.close()

    assert found[-2:] == [4, 5]
    assert 0 not in found


def test_digest_ignores_the_order_of_rows_but_not_the_names():
    """Equal features have equal digests; another name, kind or value has another."""

    def digest(name: str, value: object) -> bytes:
        kind = "text" if isinstance(value, str) else "number"
        columns = (FeatureColumn(name, kind),)
        return digest_rows(pack_features(columns, {name: [value]}, 1), 1)

    two = pack_features((FeatureColumn("a", "number"),), {"a": [1.0, 1]}, 2)

    assert digest_rows(two, 2) == digest("a", 1.0) * 2
    assert len({digest("a", 1.0), digest("b", 1.0), digest("a", 2.0), digest("a", "1.0")}) == 4


async def _append(folder, record):
    log = open_log(folder)
    await log.append(record)
    log.close()
