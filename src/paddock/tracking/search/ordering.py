"""The order of a list: `[type.]key [ASC|DESC]`, one key a text."""

from collections.abc import Sequence

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search.entities import PLURALS, Entity
from paddock.tracking.search.expressions import OrderKey, Target
from paddock.tracking.search.faults import Source, list_words
from paddock.tracking.search.lexer import tokenize
from paddock.tracking.search.parser import read_target

MAX_KEYS = 8
_EXAMPLE = "metrics.auc DESC"


def parse_order(texts: Sequence[str], entity: Entity) -> tuple[OrderKey, ...]:
    """Return the keys of an order as they were given, without what makes it total; see `full_order`.

    >>> from paddock.tracking.search.entities import RUNS
    >>> parse_order(["metrics.auc desc"], RUNS)
    (OrderKey(target=Target(kind='metric', key='auc'), is_descending=True),)
    """
    if len(texts) > MAX_KEYS:
        raise InvalidInput(f"an order has at most {MAX_KEYS} keys, not {len(texts):,}", hint=_EXAMPLE)
    keys = tuple(_parse_key(text, entity) for text in texts)
    targets = [key.target for key in keys]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"order names `{PLURALS[twice.kind]}.{twice.key[:40]}` twice; name it once", hint=_EXAMPLE
        )
    return keys


def full_order(keys: Sequence[OrderKey], entity: Entity) -> tuple[OrderKey, ...]:
    """Return the keys with those behind them that make the order total: no two things are equal in all.

    >>> from paddock.tracking.search.entities import RUNS
    >>> [(key.target.key, key.is_descending) for key in full_order((), RUNS)]
    [('start_time', True), ('run_id', False)]
    """
    given = tuple(keys) or tuple(_attribute_key(word) for word in entity.default_order)
    known = {key.target for key in given}
    breaks = (_attribute_key(word) for word in entity.tie_breaks)
    return given + tuple(key for key in breaks if key.target not in known)


def _parse_key(text: str, entity: Entity) -> OrderKey:
    source = Source(text, "order", _EXAMPLE)
    tokens = tuple(tokenize(source))
    if tokens[0].kind not in ("name", "quoted"):
        raise source.refuse(
            tokens[0].start, "expected what to sort by, such as `metrics.auc` or `start_time`"
        )
    target = read_target(source, tokens[0], entity)
    if target.kind != "attribute" and target.kind not in entity.order_kinds:
        kinds = list_words(tuple(PLURALS[kind] for kind in ("attribute", *entity.order_kinds)))
        raise source.refuse(tokens[0].start, f"{entity.name} are sorted by {kinds}")
    direction = tokens[1]
    if direction.kind != "end" and direction.keyword not in ("ASC", "DESC"):
        raise source.refuse(direction.start, "expected `ASC`, `DESC` or the end")
    if direction.kind != "end" and tokens[2].kind != "end":
        raise source.refuse(tokens[2].start, "expected the end; each key is a text of its own")
    return OrderKey(target, direction.keyword == "DESC")


def _attribute_key(word: str) -> OrderKey:
    return OrderKey(Target("attribute", word.removeprefix("-")), word.startswith("-"))
