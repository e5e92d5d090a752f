"""What a logged model may be given. Values in, values out."""

from collections.abc import Mapping, Sequence

from paddock.kernel.errors import Conflict, InvalidInput, LimitExceeded
from paddock.tracking.records import ModelPoint
from paddock.tracking.search import LOGGED_MODELS, OrderKey, Target

MAX_NAME_CHARACTERS = 500
MAX_PAIRS = 1_000
MAX_KEY_CHARACTERS = 250
# MLflow's clients write in one tag which versions were registered from a model
MAX_VALUE_CHARACTERS = 100_000
MAX_PAGE = 1_000
_NOT_IN_NAMES = ("/", ":", ".", "%", '"', "'")


def check_name(name: str) -> str:
    """Return `name` if it may name a logged model, else raise InvalidInput.

    >>> check_name("sklearn-model")
    'sklearn-model'
    """
    if not name or len(name) > MAX_NAME_CHARACTERS or any(each in name for each in _NOT_IN_NAMES):
        raise InvalidInput(
            f"Invalid model name ({name[:80]!r}) provided. Model name must be a non-empty string of at most "
            f"{MAX_NAME_CHARACTERS} characters and cannot contain the following characters: {_NOT_IN_NAMES}"
        )
    if not name.isprintable():
        raise InvalidInput(f"Invalid model name ({name[:80]!r}) provided. It holds a control character")
    return name


def check_type(model_type: str) -> str:
    """Return `model_type` if it can be kept: any line of at most 500 characters, or nothing."""
    if len(model_type) > MAX_NAME_CHARACTERS or not model_type.isprintable():
        raise InvalidInput(
            f"model type {model_type[:80]!r} has more than {MAX_NAME_CHARACTERS} characters or a control one"
        )
    return model_type


def check_pairs(kind: str, pairs: Mapping[str, str]) -> None:
    """Raise InvalidInput for keys or values that cannot be stored. kind: `param` or `tag`.

    >>> check_pairs("tag", {"": "x"})
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: a tag of a logged model has no key
    """
    if len(pairs) > MAX_PAIRS:
        raise LimitExceeded(f"a logged model takes {MAX_PAIRS:,} {kind}s in one call, not {len(pairs):,}")
    for key, value in pairs.items():
        if not key:
            raise InvalidInput(f"a {kind} of a logged model has no key")
        if len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
            raise InvalidInput(
                f"{kind} key {key[:60]!r} has more than {MAX_KEY_CHARACTERS} characters or a control one"
            )
        if len(value) > MAX_VALUE_CHARACTERS:
            raise InvalidInput(
                f"the value of {kind} `{key}` has {len(value):,} characters, more than"
                f" {MAX_VALUE_CHARACTERS:,}"
            )


def new_params(model_id: str, stored: Mapping[str, str], given: Mapping[str, str]) -> Mapping[str, str]:
    """Return the parameters that are not stored yet; Conflict for another value of one that is.

    >>> dict(new_params("m-1", {"depth": "6"}, {"depth": "6", "rate": "0.1"}))
    {'rate': '0.1'}
    """
    clashes = [key for key, value in given.items() if stored.get(key, value) != value]
    if clashes:
        key = clashes[0]
        raise Conflict(
            f"param `{key}` of logged model `{model_id}` is `{stored[key][:60]}` and cannot become"
            f" `{given[key][:60]}`",
            hint="log a new model",
        )
    return {key: value for key, value in given.items() if key not in stored}


def default_name(model_id: str) -> str:
    """Return the name of a model that was given none.

    >>> default_name("m-0192f0c1aabb7ccc8dddeeeeffff0a1b")
    'model-ff0a1b'
    """
    return f"model-{model_id[-6:]}"


def order_key(field_name: str, *, is_descending: bool) -> OrderKey:
    """Return the key of an order; InvalidInput for what models are not sorted by.

    >>> order_key("creation_time", is_descending=True).target
    Target(kind='attribute', key='creation_timestamp')
    """
    scope, dot, key = field_name.partition(".")
    if not dot:
        attribute = LOGGED_MODELS.find_attribute(field_name)
        if attribute:
            return OrderKey(Target("attribute", attribute), is_descending)
        raise InvalidInput(f"Invalid order by field name: {field_name[:80]}")
    if scope != "metrics":
        raise InvalidInput(f"Invalid order by field name: {field_name[:80]}. Only metrics are supported.")
    return OrderKey(Target("metric", key), is_descending)


def check_page_limit(limit: int) -> int:
    """Return `limit` if a page may have so many models, else raise InvalidInput."""
    if 1 <= limit <= MAX_PAGE:
        return limit
    raise InvalidInput(
        f"Invalid value {limit} for parameter 'max_results' supplied: a page has 1 to {MAX_PAGE} models"
    )


def merge_points(points: Sequence[ModelPoint]) -> tuple[ModelPoint, ...]:
    """Return the points without those that would take the same place: of them the highest value stays.

    NaN is below every number.
    """
    places: dict[tuple[str, str, int, int, str, str], ModelPoint] = {}
    for each in points:
        point = each.point
        place = (
            each.model_id,
            point.key,
            point.step,
            point.at_micros,
            each.dataset_name,
            each.dataset_digest,
        )
        rival = places.get(place)
        if rival is None or _is_above(point.value, rival.point.value):
            places[place] = each
    return tuple(places.values())


def _is_above(value: float, other: float) -> bool:
    return value > other or other != other
