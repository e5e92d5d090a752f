"""What a demo is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from paddock.kernel.errors import InvalidInput

FIRST_MONTH, LAST_MONTH = 4, 12


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """until: last month to replay, `2013-04` to `2013-12`. report: where the JSON goes, or None.

    serve: keep the pages up afterwards. resume: go on with the demo that this store holds.
    """

    until: str = "2013-12"
    serve: bool = True
    report: Path | None = None
    resume: bool = False
    seed: int = 0

    @property
    def last_month(self) -> int:
        """Return the month as a number; raises InvalidInput for one that is not replayed.

        >>> DemoOptions(until="2013-06").last_month
        6
        """
        year, _, month = self.until.partition("-")
        if year == "2013" and month.isdecimal() and FIRST_MONTH <= int(month) <= LAST_MONTH:
            return int(month)
        raise InvalidInput(
            f"`{self.until[:20]}` is not a month of the demo; it replays 2013-04 to 2013-12",
            hint="paddock demo --until 2013-06",
        )
