"""Check the whole ledger of a store against its hash chain, a page at a time."""

from paddock.kernel.wording import count_of
from paddock.metadata import sql as statements
from paddock.metadata.ledger import EMPTY_HEAD, Fault, Head, check_end, check_links
from paddock.metadata.ports import Reader
from paddock.metadata.records import LedgerVerdict

_PAGE = 2000


def verify_chain(reader: Reader) -> LedgerVerdict:
    """Recompute every hash in one snapshot. Memory stays that of one page."""
    recorded = statements.get_head(reader)
    reached, fault = _follow(reader)
    fault = fault or check_end(reached, recorded)
    unsealed_count = statements.count_unsealed(reader)
    return LedgerVerdict(
        ok=fault is None,
        checked_count=reached.position,
        first_bad_position=fault.position if fault else 0,
        words=fault.words if fault else f"the chain of {count_of(reached.position, 'event')} holds",
        unsealed_count=unsealed_count,
        head_position=recorded.position,
        head_hash=recorded.hash,
    )


def _follow(reader: Reader) -> tuple[Head, Fault | None]:
    head = EMPTY_HEAD
    while links := statements.list_links(reader, head.position, _PAGE):
        head, fault = check_links(head, links)
        if fault:
            return head, fault
    return head, None
