"""From an event as a room tells it to the entry that is stored."""

from paddock.kernel.clock import to_micros
from paddock.kernel.ids import new_id
from paddock.metadata.ledger import Entry, encode_data
from paddock.metadata.records import NewEvent


def new_entry(event: NewEvent, received_at: int) -> Entry:
    """Return `event` in its stored form, under a new id. received_at: microseconds."""
    return Entry(
        event_id=new_id(),
        project_id=event.project_id,
        principal=event.principal,
        kind=event.kind,
        subject=event.subject,
        event_time=to_micros(event.event_time),
        received_at=received_at,
        data=encode_data(event.data),
    )
