"""Idempotent writes: the same request twice is one effect and one answer."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IdempotencyConflict
from paddock.kernel.refs import Actor
from paddock.metadata import sql
from paddock.metadata.ports import Transaction
from paddock.metadata.records import Once

T = TypeVar("T")


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
