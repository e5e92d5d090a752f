"""Gives committed events their position and hash, one process at a time.

Writers insert events without a position, so that they never wait for each other. A thread seals
the tail after each commit; readers of events do it too, in case its process died.
"""

import logging
import threading

import psycopg

from paddock.kernel.errors import PaddockError
from paddock.metadata import sql as statements
from paddock.metadata.ledger import Head, Link, head_of, seal
from paddock.metadata.postgres_connection import Connection, PostgresPool, PostgresTransaction
from paddock.metadata.postgres_schema import LOCK_SPACE

_SEAL_LOCK = 2
_LOCK_WAIT_MS = 2000
_PAGE = 1000

_log = logging.getLogger(__name__)


class Sealer:
    """A thread that seals when it is woken; several processes may each have one."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool
        self._wake = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="paddock-sealer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to seal."""
        self._wake.set()

    def close(self) -> None:
        self._is_closed = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closed:
            self._wake.wait()
            self._wake.clear()
            try:
                with self._pool.lend() as connection:
                    seal_tail(connection)
            except (psycopg.Error, PaddockError) as error:
                # the events are safe; the next commit or reader seals them
                _log.warning("metadata.seal_failed", extra={"reason": str(error)})


def seal_tail(connection: Connection) -> bool:
    """Seal every committed event; False when another process held the seal for too long."""
    while True:
        try:
            with connection.transaction():
                connection.execute(b"SET LOCAL lock_timeout = %d" % _LOCK_WAIT_MS)
                connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_SPACE, _SEAL_LOCK))
                sealed_count = _seal_page(connection)
        except psycopg.errors.LockNotAvailable:
            return False
        if sealed_count < _PAGE:
            return True


def _seal_page(connection: Connection) -> int:
    tx = PostgresTransaction(connection, received_at=0)
    links = _chain(tx, statements.get_head(tx))
    if not links:
        return 0
    connection.execute(
        "UPDATE events SET position = link.position, previous_hash = link.previous_hash, hash = link.hash"
        " FROM unnest(%(ids)s::text[], %(positions)s::bigint[], %(previous)s::text[], %(hashes)s::text[])"
        " AS link (event_id, position, previous_hash, hash) WHERE events.event_id = link.event_id",
        {
            "ids": [link.entry.event_id for link in links],
            "positions": [link.position for link in links],
            "previous": [link.previous_hash for link in links],
            "hashes": [link.hash for link in links],
        },
    )
    statements.set_head(tx, head_of(links[-1]))
    return len(links)


def _chain(tx: PostgresTransaction, head: Head) -> list[Link]:
    links: list[Link] = []
    for entry in statements.list_unsealed(tx, _PAGE):
        links.append(seal(entry, head))
        head = head_of(links[-1])
    return links
