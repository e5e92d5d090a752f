"""What is asked of the store, as values."""

from dataclasses import dataclass
from typing import Literal

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search.cursor import digest_query
from paddock.tracking.search.expressions import Expression, OrderKey, Target
from paddock.tracking.search.printing import format_filter, format_order

LifecycleView = Literal["active", "deleted", "all"]

MAX_PAGE = 50_000


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Runs to find. experiment_nos: the store's own numbers; None means all of the project, () none at all.

    order: as parsed; runs that are equal by it come newest first, then by run_id. limit: rows of a page, 1 to
    MAX_PAGE. cursor: `next_cursor` of the page before, of a query that differs in nothing but the limit.
    """

    project_id: str
    experiment_nos: tuple[int, ...] | None = None
    filter: Expression | None = None
    order: tuple[OrderKey, ...] = ()
    lifecycle: LifecycleView = "active"
    limit: int = 1_000
    cursor: str = ""

    @property
    def digest(self) -> str:
        """What a cursor of this query carries."""
        numbers = "all" if self.experiment_nos is None else str(sorted(set(self.experiment_nos)))
        return digest_query(
            (
                "runs",
                self.project_id,
                numbers,
                self.lifecycle,
                format_filter(self.filter),
                format_order(self.order),
            )
        )


@dataclass(frozen=True, slots=True)
class ExperimentQuery:
    """Experiments to find; as RunQuery. The default order is the newest first, then by experiment_id."""

    project_id: str
    filter: Expression | None = None
    order: tuple[OrderKey, ...] = ()
    lifecycle: LifecycleView = "active"
    limit: int = 1_000
    cursor: str = ""

    @property
    def digest(self) -> str:
        """What a cursor of this query carries."""
        return digest_query(
            (
                "experiments",
                self.project_id,
                self.lifecycle,
                format_filter(self.filter),
                format_order(self.order),
            )
        )


@dataclass(frozen=True, slots=True)
class Grouping:
    """How to group runs. by: a param, a tag, or the attribute `status`. metric: summed up for each, or empty.

    limit: groups, the largest first.
    """

    by: Target
    metric: str = ""
    limit: int = 1_000


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs with one value in common. value: None for those that have none.

    metric_count: runs whose latest value is a number; mean: of the values up to 1e300, None without one.
    minimum, maximum: None without a number.
    """

    value: str | None
    run_count: int
    metric_count: int = 0
    mean: float | None = None
    minimum: float | None = None
    maximum: float | None = None


def check_limit(limit: int) -> None:
    """Raise InvalidInput for a page that is empty or too large."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"a page has 1 to {MAX_PAGE:,} rows, not {limit:,}")
