"""The hash chain: what it accepts and what it finds."""

from dataclasses import replace

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from paddock.metadata.ledger import EMPTY_HEAD, Entry, Head, Link, check_end, check_links, head_of, seal

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_micros = st.integers(-(2**62), 2**62)
_entries = st.lists(
    st.builds(Entry, _text, _text, _text, _text, _text, _micros, _micros, _text), min_size=1, max_size=12
)


def _chain(entries: list[Entry]) -> list[Link]:
    links: list[Link] = []
    for entry in entries:
        links.append(seal(entry, head_of(links[-1]) if links else EMPTY_HEAD))
    return links


@given(_entries)
def test_sealed_chain_holds(entries: list[Entry]) -> None:
    """A chain as it was sealed holds and ends at its recorded head, in one run or in two."""
    links = _chain(entries)
    half = len(links) // 2

    middle, fault = check_links(EMPTY_HEAD, links[:half])
    assert fault is None
    assert check_links(middle, links[half:]) == (head_of(links[-1]), None)
    assert check_end(head_of(links[-1]), head_of(links[-1])) is None


@given(_entries, st.data())
def test_changed_field_is_found_at_its_position(entries: list[Entry], data: st.DataObject) -> None:
    """A change of any field of any event is found at that event."""
    links = _chain(entries)
    index = data.draw(st.integers(0, len(links) - 1))
    name = data.draw(st.sampled_from(["event_id", "project_id", "principal", "kind", "subject", "data"]))
    entry = links[index].entry
    links[index] = replace(links[index], entry=replace(entry, **{name: getattr(entry, name) + "x"}))

    reached, fault = check_links(EMPTY_HEAD, links)
    assert fault is not None
    assert (reached.position, fault.position) == (index, index + 1)


@given(_entries, st.data())
def test_shifted_text_is_found(entries: list[Entry], data: st.DataObject) -> None:
    """Moving a character from one field to the next is a change, too."""
    links = _chain([replace(entry, kind=entry.kind + "k") for entry in entries])
    index = data.draw(st.integers(0, len(links) - 1))
    entry = links[index].entry
    moved = replace(entry, kind=entry.kind[:-1], subject=entry.kind[-1] + entry.subject)
    links[index] = replace(links[index], entry=moved)

    assert check_links(EMPTY_HEAD, links)[1] is not None


@given(_entries, st.data())
def test_deleted_event_is_found_at_its_position(entries: list[Entry], data: st.DataObject) -> None:
    """A hole is found where it is; at the end it is found against the recorded head."""
    links = _chain(entries)
    head = head_of(links[-1])
    index = data.draw(st.integers(0, len(links) - 1))
    del links[index]

    reached, fault = check_links(EMPTY_HEAD, links)
    fault = fault or check_end(reached, head)
    assert fault is not None
    assert fault.position == index + 1


@given(_entries.filter(lambda entries: len(set(entries)) == len(entries) > 1), st.data())
def test_reordered_events_are_found(entries: list[Entry], data: st.DataObject) -> None:
    """Two events that changed places are found at the first of them."""
    links = _chain(entries)
    first = data.draw(st.integers(0, len(links) - 2))
    second = data.draw(st.integers(first + 1, len(links) - 1))
    one, other = links[first], links[second]
    links[first], links[second] = replace(one, entry=other.entry), replace(other, entry=one.entry)

    fault = check_links(EMPTY_HEAD, links)[1]
    assert fault is not None
    assert fault.position == first + 1


@given(_entries.filter(lambda entries: len(entries) > 1), st.data())
def test_rehashed_event_breaks_the_next_link(entries: list[Entry], data: st.DataObject) -> None:
    """Who changes an event and its hash is found at the event after it."""
    links = _chain(entries)
    index = data.draw(st.integers(0, len(links) - 2))
    before = head_of(links[index - 1]) if index else EMPTY_HEAD
    links[index] = seal(replace(links[index].entry, data="changed" + links[index].entry.data), before)

    fault = check_links(EMPTY_HEAD, links)[1]
    assert fault is not None
    assert fault.position == index + 2


def test_hash_is_the_documented_one() -> None:
    """The bytes of docs/formats/event-ledger.md, hashed without our code, give the hash of an event."""
    documented = (
        b"paddock.event.1\n1:1,64:" + b"0" * 64 + b",2:e1,7:default,3:ann,11:run.started,5:run:1,1:5,1:6,"
        b'13:{"late":"\xc3\xa9"},'
    )
    link = seal(Entry("e1", "default", "ann", "run.started", "run:1", 5, 6, '{"late":"\u00e9"}'), EMPTY_HEAD)

    assert link.hash == blake3(documented).hexdigest()
    assert link.hash == "444f7708461d0c135ca179aa81720cee8dcfe938f8023c2d7f4f49a349b4f402"


def test_head_that_lags_is_found() -> None:
    """Events behind the recorded head are no part of the chain."""
    fault = check_end(Head(5, "b"), Head(3, "a"))

    assert fault is not None
    assert fault.position == 4


def test_head_with_another_hash_is_found() -> None:
    """A chain that was rewritten to its end does not meet a head that was not."""
    fault = check_end(Head(3, "b"), Head(3, "a"))

    assert fault is not None
    assert fault.position == 3
