"""Reading gates: what paddock.toml may say, what is wrong with it, and how it reads in words."""

from collections.abc import Mapping, Sequence

import msgspec

from paddock.evaluation.records import (
    DEFAULT_CONFIDENCE,
    DEFAULT_MIN_ROWS,
    LOWER_IS_BETTER,
    METRIC_TITLES,
    GateSpec,
)
from paddock.kernel.errors import InvalidSettings
from paddock.kernel.names import nearest

_BOUNDS = ("at_least", "at_most")


def parse_gates(raw: Sequence[Mapping[str, object]]) -> tuple[GateSpec, ...]:
    """Read the gates of one model; every fault of every gate is reported in one InvalidSettings.

    >>> parse_gates([{"metric": "roc_auc", "at_least": 0.65}])[0].at_least
    0.65
    """
    specs: list[GateSpec] = []
    problems: list[str] = []
    for number, table in enumerate(raw, start=1):
        faults = _unknown_keys(table)
        if not faults:
            try:
                spec = msgspec.convert(dict(table), GateSpec)
            except msgspec.ValidationError as error:
                faults = (str(error),)
            else:
                specs.append(spec)
                faults = check_spec(spec)
        problems.extend(f"gate {number}: {fault}" for fault in faults)
    if problems:
        raise InvalidSettings("; ".join(problems), problems=tuple(problems))
    return tuple(specs)


def check_spec(spec: GateSpec) -> tuple[str, ...]:
    """Return every fault of one gate; empty when it is sound.

    >>> check_spec(GateSpec(metric="log_loss", at_least=0.4))
    ('lower log loss is better, so a gate needs `at_most` instead of `at_least`',)
    """
    if spec.latency_p99_ms is not None:
        return _check_latency(spec)
    if not spec.metric:
        return ("names neither `metric` nor `latency_p99_ms`",)
    if spec.metric not in METRIC_TITLES:
        return (f"`{spec.metric}` is not a metric{_suggest(spec.metric, METRIC_TITLES)}",)
    if spec.versus:
        return _check_versus(spec)
    return _check_bound(spec)


def describe_gate(spec: GateSpec) -> str:
    """Return the requirement of a sound gate in words.

    >>> describe_gate(GateSpec(metric="roc_auc", slice="carrier", at_least=0.55, min_rows=500))
    'AUC at least 0.55 for every carrier with 500 rows or more'
    """
    if spec.latency_p99_ms is not None:
        return f"99 % of requests answered within {spec.latency_p99_ms:g} ms"
    title = METRIC_TITLES.get(spec.metric, spec.metric)
    if spec.versus:
        return f"{title} better than the champion by more than {margin_of(spec):g}"
    where = f" for every {spec.slice} with {min_rows_of(spec):,} rows or more" if spec.slice else ""
    if spec.at_most is not None:
        return f"{title} at most {spec.at_most:g}{where}"
    return f"{title} at least {bound_of(spec):g}{where}"


def bound_of(spec: GateSpec) -> float:
    """Return the bound of a sound gate with `at_least` or `at_most`."""
    bounds = [bound for bound in (spec.at_least, spec.at_most) if bound is not None]
    return bounds[0]


def margin_of(spec: GateSpec) -> float:
    return 0.0 if spec.margin is None else spec.margin


def confidence_of(spec: GateSpec) -> float:
    return DEFAULT_CONFIDENCE if spec.confidence is None else spec.confidence


def min_rows_of(spec: GateSpec) -> int:
    return DEFAULT_MIN_ROWS if spec.min_rows is None else spec.min_rows


def _unknown_keys(table: Mapping[str, object]) -> tuple[str, ...]:
    known = GateSpec.__struct_fields__
    return tuple(f"`{key}` is not a key{_suggest(key, known)}" for key in table if key not in known)


def _suggest(name: str, known: Sequence[str] | Mapping[str, str]) -> str:
    match = nearest(name, known)
    return f"; the nearest is `{match}`" if match else f"; there are {', '.join(known)}"


def _given(spec: GateSpec) -> set[str]:
    """Names of the keys that were given, an empty text counting as not given."""
    return {name for name in spec.__struct_fields__ if getattr(spec, name) not in (None, "")}


def _strangers(spec: GateSpec, allowed: set[str], kind: str) -> tuple[str, ...]:
    order = spec.__struct_fields__
    extra = sorted(_given(spec) - allowed, key=order.index)
    return tuple(f"`{name}` does not belong to a gate {kind}" for name in extra)


def _check_latency(spec: GateSpec) -> tuple[str, ...]:
    faults = _strangers(spec, {"latency_p99_ms"}, "on latency")
    if spec.latency_p99_ms is not None and not 0 < spec.latency_p99_ms < float("inf"):
        faults += (f"`latency_p99_ms` is {spec.latency_p99_ms:g}, but must be above 0",)
    return faults


def _check_versus(spec: GateSpec) -> tuple[str, ...]:
    faults = _strangers(spec, {"metric", "versus", "margin", "confidence"}, "against the champion")
    if spec.versus != "champion":
        faults += (f"`versus` is `{spec.versus}`, but can only be `champion`",)
    if not 0.5 <= confidence_of(spec) < 1:
        faults += (f"`confidence` is {confidence_of(spec):g}, but must be 0.5 or more and below 1",)
    if abs(margin_of(spec)) >= float("inf") or margin_of(spec) != margin_of(spec):
        faults += ("`margin` is not a finite number",)
    return faults


def _check_bound(spec: GateSpec) -> tuple[str, ...]:
    allowed = {"metric", *_BOUNDS} | ({"slice", "min_rows"} if spec.slice else set())
    faults = _strangers(spec, allowed, "on slices" if spec.slice else "with a bound")
    wanted, other = reversed(_BOUNDS) if spec.metric in LOWER_IS_BETTER else _BOUNDS
    given = _given(spec)
    if other in given:
        direction = "lower" if spec.metric in LOWER_IS_BETTER else "higher"
        title = METRIC_TITLES[spec.metric]
        faults += (f"{direction} {title} is better, so a gate needs `{wanted}` instead of `{other}`",)
    elif wanted not in given:
        faults += (f"`{spec.metric}` has no bound; give `{wanted}` or `versus`",)
    elif not -float("inf") < bound_of(spec) < float("inf"):
        faults += (f"`{wanted}` is not a finite number",)
    if min_rows_of(spec) < 1:
        faults += (f"`min_rows` is {min_rows_of(spec)}, but must be at least 1",)
    return faults
