"""The filter language: MLflow's comparisons, with AND, OR, NOT and parentheses.

    expression = and, { "OR", and }
    and        = not, { "AND", not }
    not        = "NOT", not | "(", expression, ")" | comparison
    comparison = target, ( operator, value | ["NOT"], "IN", list | "IS", ["NOT"], "NULL" | "IS", "NAN" )

Each target has its operators and its type of value, see entities.py. A text is read once from left to right;
its length, depth and number of terms are bounded before anything is built from it.
"""

from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import nearest
from paddock.tracking.search.entities import (
    DATASET_KEYS,
    ID_OPERATORS,
    KIND_WORDS,
    METRIC_OPERATORS,
    NUMBER_OPERATORS,
    PAIR_OPERATORS,
    PLURALS,
    TEXT_OPERATORS,
    Entity,
)
from paddock.tracking.search.expressions import (
    Comparison,
    Expression,
    Kind,
    Not,
    Operator,
    Target,
    Value,
    join_and,
    join_or,
)
from paddock.tracking.search.faults import Source, list_words, quote_piece
from paddock.tracking.search.lexer import COMPARISONS, Token, TokenKind, tokenize

MAX_DEPTH = 20
MAX_TERMS = 50
MAX_LIST = 100
MAX_PATTERN = 256
_MAX_ID_DIGITS = 18
_INT64 = range(-(2**63), 2**63)
_KEYWORDS = frozenset(("AND", "OR", "NOT", "IN", "IS", "NULL", "NAN", "LIKE", "ILIKE"))
_EXAMPLE = "metrics.auc > 0.9 AND params.model = 'forest'"


def parse_filter(text: str, entity: Entity) -> Expression | None:
    """Return what a filter says, None for an empty one; InvalidInput points at the first fault.

    >>> from paddock.tracking.search.entities import RUNS
    >>> parse_filter("params.model = 'forest'", RUNS)
    Comparison(target=Target(kind='param', key='model'), operator='=', value='forest')
    """
    parser = _Parser(Source(text, "filter", _EXAMPLE), entity)
    return parser.parse()


def read_target(source: Source, token: Token, entity: Entity) -> Target:
    """Return what a name stands for among the things `entity` has, or raise InvalidInput at its place."""
    if not token.scope:
        return Target("attribute", _attribute(source, token, entity))
    kind = KIND_WORDS.get(token.scope.lower())
    known: tuple[Kind, ...] = (*entity.kinds, "attribute")
    if kind not in known:
        words = list_words(tuple(PLURALS[each] for each in known))
        raise source.refuse(token.start, f"{entity.name} have {words}, not `{quote_piece(token.scope[:40])}`")
    if kind == "attribute":
        return Target(kind, _attribute(source, token, entity))
    if kind == "tag" and token.text in entity.tag_attributes:
        return Target("attribute", entity.tag_attributes[token.text])
    if kind == "dataset" and token.text not in DATASET_KEYS:
        raise source.refuse(token.start, f"a dataset has {list_words(DATASET_KEYS)}")
    return Target(kind, token.text)


def operators_of(target: Target, entity: Entity) -> tuple[Operator, ...]:
    """Return the operators by which a target is compared.

    >>> from paddock.tracking.search.entities import RUNS
    >>> "LIKE" in operators_of(Target("metric", "auc"), RUNS)
    False
    """
    if target.kind == "metric":
        return METRIC_OPERATORS
    if target.kind in ("param", "tag"):
        return PAIR_OPERATORS
    if target.kind == "dataset":
        return TEXT_OPERATORS
    by_type = {"number": NUMBER_OPERATORS, "text": TEXT_OPERATORS, "id": ID_OPERATORS}
    return by_type[entity.attributes[target.key].type]


def _attribute(source: Source, token: Token, entity: Entity) -> str:
    name = entity.find_attribute(token.text)
    if not name:
        near = nearest(token.text[:80], entity.attributes)
        meant = f"; did you mean `{near}`" if near else f"; there are {list_words(tuple(entity.attributes))}"
        raise source.refuse(
            token.start, f"{entity.name} have no attribute `{quote_piece(token.text[:40])}`{meant}"
        )
    return name


class _Parser:
    """Reads one text. depth: parentheses and NOT that are open; terms: comparisons so far."""

    def __init__(self, source: Source, entity: Entity) -> None:
        self._source = source
        self._entity = entity
        self._tokens = tuple(tokenize(source))
        self._position = 0
        self._depth = 0
        self._term_count = 0

    def parse(self) -> Expression | None:
        if self._at("end"):
            return None
        expression = self._or()
        if not self._at("end"):
            raise self._refuse("expected `AND`, `OR` or the end")
        return expression

    @property
    def _token(self) -> Token:
        return self._tokens[self._position]

    def _at(self, kind: TokenKind) -> bool:
        return self._token.kind == kind

    def _next(self) -> Token:
        token = self._token
        self._position += 1
        return token

    def _takes(self, keyword: str) -> bool:
        if self._token.keyword != keyword:
            return False
        self._position += 1
        return True

    def _refuse(self, fault: str, at: Token | None = None) -> InvalidInput:
        return self._source.refuse((at or self._token).start, fault)

    def _or(self) -> Expression:
        terms = [self._and()]
        while self._takes("OR"):
            terms.append(self._and())
        return join_or(tuple(terms))

    def _and(self) -> Expression:
        terms = [self._not()]
        while self._takes("AND"):
            terms.append(self._not())
        return join_and(tuple(terms))

    def _not(self) -> Expression:
        token = self._token
        if token.keyword != "NOT" and token.kind != "(":
            return self._comparison()
        if self._depth == MAX_DEPTH:
            raise self._refuse(f"parentheses and `NOT` stand in one another at most {MAX_DEPTH} deep")
        self._depth += 1
        self._position += 1
        inner: Expression = Not(self._not()) if token.keyword == "NOT" else self._inside()
        self._depth -= 1
        return inner

    def _inside(self) -> Expression:
        inner = self._or()
        if not self._at(")"):
            raise self._refuse("expected `AND`, `OR` or `)`")
        self._position += 1
        return inner

    def _comparison(self) -> Expression:
        token = self._token
        if token.kind not in ("name", "quoted") or token.keyword in _KEYWORDS:
            raise self._refuse("expected what is compared, such as `metrics.auc`, `params.model` or `status`")
        if self._term_count == MAX_TERMS:
            raise self._refuse(f"a filter has at most {MAX_TERMS} comparisons")
        self._term_count += 1
        self._position += 1
        target = read_target(self._source, token, self._entity)
        if target.kind == "attribute" and not self._entity.attributes[target.key].is_filterable:
            raise self._refuse(f"{self._entity.name} are sorted by `{target.key}`, not filtered", token)
        operator = self._operator(target)
        return Comparison(target, operator, self._value(target, operator))

    def _operator(self, target: Target) -> Operator:
        token = self._token
        operator = self._read_operator()
        known = operators_of(target, self._entity)
        if operator is None:
            raise self._refuse(f"expected {list_words(known)}", token)
        if operator not in known:
            name = f"{PLURALS[target.kind]}.{quote_piece(target.key[:40])}"
            raise self._refuse(f"`{name}` is compared by {list_words(known)}, not by `{operator}`", token)
        return operator

    def _read_operator(self) -> Operator | None:
        token = self._token
        if token.kind == "operator":
            self._position += 1
            return _COMPARISONS[token.text]
        if self._takes("LIKE"):
            return "LIKE"
        if self._takes("ILIKE"):
            return "ILIKE"
        if self._takes("IN"):
            return "IN"
        if self._takes("NOT"):
            return "NOT IN" if self._takes("IN") else None
        return self._read_is() if self._takes("IS") else None

    def _read_is(self) -> Operator:
        is_negated = self._takes("NOT")
        if self._takes("NULL"):
            return "IS NOT NULL" if is_negated else "IS NULL"
        if not is_negated and self._takes("NAN"):
            return "IS NAN"
        raise self._refuse("expected `NULL`" if is_negated else "expected `NULL`, `NOT NULL` or `NAN`")

    def _value(self, target: Target, operator: Operator) -> Value:
        if operator in ("IS NULL", "IS NOT NULL", "IS NAN"):
            return None
        if operator in ("IN", "NOT IN"):
            return self._list(target)
        attribute = self._entity.attributes[target.key] if target.kind == "attribute" else None
        if target.kind == "metric" or (attribute and attribute.type == "number"):
            return self._number(target)
        text = self._text(target)
        if operator in ("LIKE", "ILIKE") and len(text) > MAX_PATTERN:
            at = self._tokens[self._position - 1]
            raise self._refuse(f"a pattern has at most {MAX_PATTERN} characters, not {len(text):,}", at)
        return text

    def _number(self, target: Target) -> int | float:
        token = self._next()
        if token.kind != "number":
            raise self._refuse(f"expected a number; `{PLURALS[target.kind]}.{target.key[:40]}` is one", token)
        is_whole = target.kind == "attribute" and token.text.lstrip("+-").isdecimal()
        return int(token.text) if is_whole and int(token.text) in _INT64 else float(token.text)

    def _text(self, target: Target) -> str:
        token = self._next()
        attribute = self._entity.attributes[target.key] if target.kind == "attribute" else None
        if attribute and attribute.type == "id":
            if not _is_id(token):
                raise self._refuse("expected a whole number, such as `'12'`", token)
            return str(int(token.text))
        if token.kind not in ("text", "quoted"):
            raise self._refuse("expected a text in quotes, such as `'forest'`", token)
        return token.text.lower() if attribute and attribute.is_folded else token.text

    def _list(self, target: Target) -> tuple[str, ...]:
        opening = self._next()
        if opening.kind != "(":
            raise self._refuse("expected a list of texts, such as `('a', 'b')`", opening)
        values = [self._text(target)]
        while self._at(","):
            self._position += 1
            if self._at(")"):
                break  # MLflow takes a comma before the parenthesis
            if len(values) == MAX_LIST:
                raise self._refuse(f"a list has at most {MAX_LIST} values")
            values.append(self._text(target))
        if self._next().kind != ")":
            raise self._refuse("expected `,` or `)`", self._tokens[self._position - 1])
        return tuple(values)


_COMPARISONS: dict[str, Operator] = {"=": "=", "!=": "!=", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
assert tuple(_COMPARISONS) == COMPARISONS


def _is_id(token: Token) -> bool:
    is_short = token.text.isascii() and token.text.isdecimal() and len(token.text) <= _MAX_ID_DIGITS
    return token.kind in ("text", "quoted", "number") and is_short
