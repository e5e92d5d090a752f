"""From records to the calls that deliver them. Values in, values out."""

from collections.abc import Sequence

from paddock.kernel.errors import Conflict, InvalidInput, InvalidSettings, NotFound, PaddockError, StoreInUse
from paddock.kernel.refs import DatasetRef
from paddock.sdk.spool.records import End, File, Input, Params, Points, Record, Stored, Tags
from paddock.tracking import MetricPoint, RunBatch, RunInput

MOST_POINTS = 2_500  # for a few milliseconds of work, which nobody who waits for the interpreter notices
_MOST_PAIRS = 1_000
_MOST_BYTES = 1_048_576
_LATER = (408, 421, 429)  # too slow, not that server's name, too many: nothing that was asked for is wrong


def take_batch(ahead: Sequence[Stored], until: int = 0) -> Sequence[Stored]:
    """Return the first records of `ahead` that one call can take, at least one where there is one.

    A file or an end is a call of its own. until: an offset; when it is given, exactly the records before it,
    none where it lies behind us.

    >>> tags = [Stored(Tags({"a": "1"}), 0, 9), Stored(End("finished", 0), 9, 20), Stored(Tags({}), 20, 29)]
    >>> [stored.end for stored in take_batch(tags)], len(take_batch(tags[1:])), len(take_batch(tags, 20))
    ([9], 1, 2)
    """
    if until:
        return [stored for stored in ahead if stored.end <= until]
    params: dict[str, str] = {}
    points = tags = inputs = 0
    for place, stored in enumerate(ahead):
        record = stored.record
        if isinstance(record, Points):
            points += len(record.values)
        elif isinstance(record, Tags):
            tags += len(record.values)
        elif isinstance(record, Params):
            if any(params.get(key, value) != value for key, value in record.values.items()):
                return ahead[:place]  # the second value is refused by itself
            params |= record.values
        elif isinstance(record, Input):
            inputs += 1
        else:
            return ahead[: place or 1]
        is_full = points > MOST_POINTS or max(len(params), tags, inputs) > _MOST_PAIRS
        if place and (is_full or stored.end - ahead[0].start > _MOST_BYTES):
            return ahead[:place]
    return ahead


def as_batch(records: Sequence[Record]) -> RunBatch:
    """Return metrics, parameters, tags and inputs as one batch, each in the order it was logged in.

    >>> as_batch([Tags({"a": "1"}), Tags({"a": "2"})]).tags
    {'a': '2'}
    """
    points: list[MetricPoint] = []
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    inputs: list[RunInput] = []
    for record in records:
        if isinstance(record, Points):
            for key, value in record.values.items():
                points.append(MetricPoint(key, value, record.step, record.at_micros))
        elif isinstance(record, Params):
            params |= record.values
        elif isinstance(record, Tags):
            tags |= record.values
        elif isinstance(record, Input):
            inputs.append(RunInput(DatasetRef(record.name, record.version), record.role))
    return RunBatch(points=points, params=params, tags=tags, inputs=tuple(inputs))


def take_apart(records: Sequence[Stored]) -> list[list[Stored]]:
    """Return the records of a refused batch in the parts that can be refused by themselves.

    Metrics are one part, and so are tags, of which the order counts; each record of anything else is one.

    >>> records = [Params({"a": "1"}), Points(0, 1, {"auc": 0.5}), Params({"b": "2"})]
    >>> [len(part) for part in take_apart([Stored(record, 0, 0) for record in records])]
    [1, 1, 1]
    """
    together = (Points, Tags)
    parts = [[stored for stored in records if isinstance(stored.record, kind)] for kind in together]
    alone = [[stored] for stored in records if not isinstance(stored.record, together)]
    return [part for part in (*parts, *alone) if part]


def is_refusal(error: PaddockError) -> bool:
    """Tell whether a store will never take what it has answered with `error`; else it may later.

    >>> is_refusal(Conflict("param `depth` is `6`")), is_refusal(PaddockError("a fault of the server"))
    (True, False)
    """
    is_wrong_store = isinstance(error, InvalidSettings | StoreInUse) or error.http_status in _LATER
    return isinstance(error, InvalidInput | NotFound | Conflict) and not is_wrong_store


def is_for_all(error: PaddockError, records: Sequence[Stored]) -> bool:
    """Tell whether a refusal is of the run itself, so that all further records would be refused too.

    >>> is_for_all(NotFound("no run"), [Stored(Tags({}), 0, 9)]), is_for_all(Conflict("another value"), [])
    (True, False)
    """
    names_more = any(isinstance(stored.record, Input | File) for stored in records)  # which may not be there
    return isinstance(error, NotFound) and not names_more


def describe(records: Sequence[Record]) -> str:
    """Return in words what records are.

    >>> describe([Points(0, 1, {"auc": 0.5}), Points(0, 2, {"auc": 0.6})]), describe([File("a.txt", "1")])
    ('metrics', 'artifact `a.txt`')
    """
    first = records[0]
    match first:
        case Points():
            return "metrics"
        case Params():
            return "params"
        case Tags():
            return "tags"
        case Input(name=name, version=version):
            return f"input `{name}@{version}`"
        case File(path=path):
            return f"artifact `{path}`"
        case End(status=status):
            return f"the end as {status}"
