"""What a spool holds, as values: what was logged, for which run it is, and what became of it."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from paddock.kernel.clock import from_micros
from paddock.kernel.ids import RunId
from paddock.sdk.ports import Destination
from paddock.wire import structs

FORMAT = 1


class Points(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """One value for each key, measured at `step` and `at_micros`."""

    at_micros: int
    step: int
    values: dict[str, float]


class Params(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    values: dict[str, str]


class Tags(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    values: dict[str, str]


class Input(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    name: str
    version: int
    role: str


class File(msgspec.Struct, frozen=True, array_like=True, tag=5, gc=False):
    """An artifact. path: its name in the run; kept_as: the name of its bytes in the spool."""

    path: str
    kept_as: str


class End(msgspec.Struct, frozen=True, array_like=True, tag=6, gc=False):
    status: structs.EndStatus
    at_micros: int

    @property
    def at(self) -> datetime:
        return from_micros(self.at_micros)


Record = Points | Params | Tags | Input | File | End


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A record, and where it stands: offsets count from the first byte ever written to the journal."""

    record: Record
    start: int
    end: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """For which run a journal is, and where it goes to.

    start: what the run is to be started with, under the key `start_key`; None when the store has it already.
    """

    run_id: RunId
    destination: Destination
    created_at: datetime
    start: structs.StartRun | None = None
    start_key: str = ""
    format: int = FORMAT


class Progress(NamedTuple):
    """How far a journal has been delivered, as offsets.

    acked: what the store has; sent: the end of the batch that was under way, so that it is repeated as it
    was; is_started: the store has the run; is_refused: the store will not take it.
    """

    acked: int = 0
    sent: int = 0
    is_started: bool = False
    is_refused: bool = False


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a store would not take, and why. what: `start`, or the kind of the records.

    records: as MessagePack, so that nothing of it is lost.
    """

    key: str
    what: str
    code: str
    message: str
    hint: str = ""
    problems: tuple[str, ...] = ()
    records: tuple[bytes, ...] = ()
