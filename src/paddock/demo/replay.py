"""The replay: each round, labels that came due are sent, the loop looks, then the flights fly."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from paddock.automation import Loop, Watch
from paddock.demo.calendar import HOUR, LABEL_DELAY, ROUND, Schedule, is_row_by_row
from paddock.demo.client import GatewayClient
from paddock.demo.flights import LABEL
from paddock.kernel.clock import SimulatedClock
from paddock.prediction_log import read_predictions

SENDERS = 16
LABEL_BATCH = 5_000


@dataclass(slots=True)
class Replay:
    """One round after another under the simulated clock.

    Everything a round does may be repeated: rows carry their keys, labels are the same again, and the
    loop takes up what it finds. `seen` maps the key of a flight to its prediction id.
    """

    schedule: Schedule
    clock: SimulatedClock
    client: GatewayClient
    loop: Loop
    watches: tuple[Watch, ...]
    hand_in: Callable[[datetime], None]
    seen: dict[str, str] = field(default_factory=dict)

    def recall(self, predictions: Path, since: datetime) -> None:
        """Learn the prediction ids of what was answered before this process began."""
        rows = read_predictions(
            predictions, since=since - LABEL_DELAY - ROUND, columns=["idempotency_key", "prediction_id"]
        )
        self.seen.update(
            zip(rows["idempotency_key"].to_pylist(), rows["prediction_id"].to_pylist(), strict=True)
        )

    def play_round(self, at: datetime) -> int:
        """Play the round that begins at `at`; return how many flights it had."""
        self.look(at)
        self.hand_in(at)
        self.loop.tick()
        return self._fly(at)

    def look(self, at: datetime) -> None:
        """Let the clock come to `at`, send the labels due by then, and judge the windows that ended."""
        self.clock.move_to(at)
        self._send_labels(at)
        for watch in self.watches:
            watch.tick(at - ROUND)

    def _send_labels(self, at: datetime) -> None:
        due = self.schedule.between(at - ROUND - LABEL_DELAY, at - LABEL_DELAY)
        known = due.filter(due[LABEL].is_valid())
        ids = [self.seen.pop(key) for key in known["key"].to_pylist()]
        labels = known[LABEL].to_pylist()
        for start in range(0, len(ids), LABEL_BATCH):
            chunk = slice(start, start + LABEL_BATCH)
            self.client.send_labels(ids[chunk], labels[chunk], at)

    def _fly(self, at: datetime) -> int:
        requests = list(self._requests(at))
        with ThreadPoolExecutor(SENDERS) as pool:
            for rows, ids in zip(requests, pool.map(self.client.predict, requests), strict=True):
                self.seen.update(zip(rows["key"].to_pylist(), ids, strict=True))
        return sum(rows.num_rows for rows in requests)

    def _requests(self, at: datetime) -> Iterator[pa.Table]:
        """Yield one table for each request: one an hour, or one a flight."""
        for hour in range(ROUND // HOUR):
            start = at + hour * HOUR
            rows = self.schedule.between(start, start + HOUR)
            if is_row_by_row(start):
                yield from (rows.slice(place, 1) for place in range(rows.num_rows))
            elif rows.num_rows:
                yield rows
