"""What a list of runs shows, as text; and filters that are checked, or narrowed to one value."""

from dataclasses import dataclass, replace

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search.entities import RUNS, Attribute, Entity
from paddock.tracking.search.expressions import Comparison, Target
from paddock.tracking.search.faults import Source
from paddock.tracking.search.lexer import tokenize
from paddock.tracking.search.parser import parse_filter, read_target
from paddock.tracking.search.printing import format_filter, format_target

MAX_COLUMNS = 100

# what a list of runs can show of each: an ended run has taken a while, which is no column of the store
RUN_COLUMNS = replace(
    RUNS,
    attributes={**RUNS.attributes, "duration": Attribute("number", is_filterable=False)},
    kinds=("metric", "param", "tag"),
)


@dataclass(frozen=True, slots=True)
class FilterFault:
    """Why a filter cannot be read. position: of the character, from 0; the length of the text at its end."""

    position: int
    words: str


def parse_columns(text: str, entity: Entity = RUN_COLUMNS) -> tuple[Target, ...]:
    """Return what a list names, in order and each once; InvalidInput points at the first fault.

    >>> [target.key for target in parse_columns("metrics.auc, params.`batch size`,status,metrics.auc")]
    ['auc', 'batch size', 'status']
    """
    source = Source(text, "list of columns", "metrics.auc,params.model")
    tokens = tuple(tokenize(source))
    if tokens[0].kind == "end":
        return ()
    for place, token in enumerate(tokens):
        if token.kind not in ((",", "end") if place % 2 else ("name", "quoted")):
            raise source.refuse(token.start, "expected names between commas, such as `metrics.auc`")
    found = dict.fromkeys(read_target(source, token, entity) for token in tokens[::2])
    if len(found) > MAX_COLUMNS:
        raise source.refuse(0, f"it names {len(found):,} columns, and may name {MAX_COLUMNS}")
    return tuple(found)


def format_columns(targets: tuple[Target, ...]) -> str:
    """Return a text that is parsed to `targets` again.

    >>> format_columns((Target("metric", "auc"), Target("param", "batch size")))
    'metrics.auc,params.`batch size`'
    """
    return ",".join(format_target(target) for target in targets)


def split_order(text: str) -> tuple[str, ...]:
    """Return the keys of an order, each as a text of its own; a comma inside quotes belongs to the key.

    >>> split_order("metrics.`a, b` DESC, start_time")
    ('metrics.`a, b` DESC', 'start_time')
    """
    if not text.strip():
        return ()
    commas = [token for token in tokenize(Source(text, "order", "metrics.auc DESC")) if token.kind == ","]
    starts, ends = [0, *(comma.end for comma in commas)], [*(comma.start for comma in commas), len(text)]
    return tuple(text[start:end].strip() for start, end in zip(starts, ends, strict=True))


def check_filter(text: str) -> FilterFault | None:
    """Return why a filter of runs cannot be read, None when it can.

    >>> check_filter("metrics.auc >> 1").position, check_filter("metrics.auc > 1")
    (12, None)
    """
    try:
        parse_filter(text, RUNS)
    except InvalidInput as error:
        return FilterFault(int(str(error.details["position"])) - 1, error.message)
    return None


def narrow_filter(text: str, target: Target, value: str | None) -> str:
    """Return a filter for those that `text` finds whose `target` is `value`; None: that have none.

    text: a filter that can be read.

    >>> narrow_filter("metrics.auc > 0.9", Target("param", "model"), "forest")
    "(metrics.auc > 0.9) AND params.model = 'forest'"
    """
    own = Comparison(target, "IS NULL") if value is None else Comparison(target, "=", value)
    return f"({text}) AND {format_filter(own)}" if text.strip() else format_filter(own)
