"""Idempotent writes: the same request twice is one effect and one answer."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from paddock.kernel.clock import to_micros
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IdempotencyConflict
from paddock.kernel.refs import Actor
from paddock.metadata import sql
from paddock.metadata.ports import Metadata, Transaction
from paddock.metadata.records import Once

T = TypeVar("T")

# a batch takes a few milliseconds, and holds up other writes no longer
_PURGE_KEYS = 500
_PURGE_BATCHES = 100


def once_for(actor: Actor, key: str, request: object, result: type[T]) -> Once[T] | None:
    """Return the Once of a service call, or None when the caller gave no key.

    request: everything that makes up the call, its name included; msgspec must be able to encode it.

    >>> once_for(Actor("default", "ann"), "", ("start_run",), str) is None
    True
    >>> once_for(Actor("default", "ann"), "k1", ("start_run", "delay"), str).project_id
    'default'
    """
    if not key:
        return None
    body = msgspec.json.encode(request, order="deterministic")
    return Once(key, digest_bytes(body), result, actor.project_id, actor.principal)


def run_change(
    tx: Transaction, change: Callable[[Transaction], T], once: Once[T] | None, created_at: int
) -> T:
    """Run `change`, or return what it returned when its key was first used.

    created_at: microseconds, kept beside the key.
    """
    if once is None:
        return change(tx)
    stored = sql.find_once(tx, once)
    if stored is None:
        result = change(tx)
        # msgpack and not JSON: it keeps NaN and bytes
        sql.insert_once(tx, once, msgspec.msgpack.encode(result), created_at)
        return result
    if stored.request_digest != once.request_digest:
        raise IdempotencyConflict(
            f"idempotency key `{once.key[:80]}` was used before for another request",
            hint="use a new key for a new request",
        )
    return msgspec.msgpack.decode(stored.result, type=once.result)


def purge_keys(store: Metadata, before: datetime) -> int:
    """Delete old keys in small transactions; where none is old, nothing is written."""
    limit = to_micros(before)
    if not store.read(lambda reader: sql.has_once_before(reader, limit)):
        return 0
    purged_count = 0
    for _ in range(_PURGE_BATCHES):
        count = store.write(lambda tx: sql.delete_once_before(tx, limit, _PURGE_KEYS))
        purged_count += count
        if count < _PURGE_KEYS:
            break
    return purged_count
