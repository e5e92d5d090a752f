"""Gates: which evidence lets a model through. Pure, and a measurement that is missing never does."""

from collections.abc import Sequence

from paddock.evaluation.records import (
    METRIC_TITLES,
    Comparison,
    Evidence,
    GateReport,
    GateResult,
    GateSpec,
    GateState,
    Measured,
    SliceMeasured,
)
from paddock.evaluation.specs import (
    bound_of,
    confidence_of,
    describe_gate,
    margin_of,
    min_rows_of,
)

_WORDS_MAX_SLICES = 5


def check_gates(
    specs: Sequence[GateSpec], evidence: Evidence, *, model: str, latency_requests: int = 0
) -> tuple[GateResult, ...]:
    """Hold the evidence against each gate, in the order given.

    specs: sound ones (`check_spec`). latency_requests: how many the latency was measured over, for the
    words. A gate against the champion is not applicable while there is none; any other gate without its
    measurement is `not_measured`.

    >>> check_gates([GateSpec(latency_p99_ms=20)], Evidence(rows=9), model="delay")[0].words
    'The 99th percentile of latency was not measured'
    """
    return tuple(
        _check_gate(spec, evidence, model)
        if spec.latency_p99_ms is None
        else _check_latency(spec, spec.latency_p99_ms, evidence.latency_p99_ms, latency_requests)
        for spec in specs
    )


def is_passed(results: Sequence[GateResult]) -> bool:
    """Tell whether the results let the model through; no gate at all does not.

    >>> is_passed([])
    False
    """
    return bool(results) and all(result.state in ("passed", "not_applicable") for result in results)


def summarize(results: Sequence[GateResult]) -> str:
    """Say in one sentence what came of all gates, naming those that do not let through.

    >>> summarize([])
    'No gate is declared, and without one nothing passes'
    """
    if not results:
        return "No gate is declared, and without one nothing passes"
    blocking = [result for result in results if result.state in ("failed", "not_measured")]
    if blocking:
        return "; ".join(_blocking_words(result) for result in blocking)
    passed = sum(result.state == "passed" for result in results)
    skipped = len(results) - passed
    return f"{passed} of {len(results)} gates passed" + (f", {skipped} not applicable" if skipped else "")


def _blocking_words(result: GateResult) -> str:
    return result.words if result.state == "failed" else f"Not measured: {result.words}"


def check_refit(
    parent: GateReport, parent_version: int, *, verified: bool, verification_words: str
) -> tuple[GateResult, ...]:
    """Let a refit through on its parent's passed report and its own golden requests.

    A refit has more rows under the same code, parameters and environment; there are no rows left
    to measure it on, so it stands on the report of the model it repeats. That report must be a
    measurement of its own: a refit of a refit is refused.
    """
    name = f"{parent.model}@{parent_version}"
    words = f"Gated as its parent {name}: {parent.words} on {parent.rows:,} rows"
    state: GateState = "passed" if parent.passed else "failed"
    if parent.gated_as:
        state, words = "failed", f"Parent {name} is a refit itself and was not measured on its own"
    if not verification_words:
        verification_words = "The golden requests " + (
            "answer as recorded" if verified else "were not replayed"
        )
    return (
        GateResult(gate="Gated as its parent", state=state, words=words),
        GateResult(
            gate="Golden requests answer as recorded",
            state="passed" if verified else "failed",
            words=verification_words,
        ),
    )


def format_figure(value: float, *beside: float) -> str:
    """Return `value` with three decimals, or as many up to six as tell it from those beside it.

    >>> format_figure(0.64996, 0.65), format_figure(0.651, 0.65)
    ('0.64996', '0.651')
    """
    for decimals in (3, 4, 5):
        text = _round(value, decimals)
        if all(value == other or text != _round(other, decimals) for other in beside):
            return text
    return _round(value, 6)


def _check_gate(spec: GateSpec, evidence: Evidence, model: str) -> GateResult:
    if spec.versus:
        return _check_versus(spec, evidence, model)
    if spec.slice:
        return _check_slices(spec, evidence)
    return _check_bound(spec, evidence)


def _result(
    spec: GateSpec, state: GateState, words: str, threshold: float, found: Measured | None = None
) -> GateResult:
    return GateResult(
        gate=describe_gate(spec),
        state=state,
        words=words,
        spec=spec,
        value=found.value if found else None,
        interval=found.interval if found else None,
        threshold=threshold,
    )


def _check_latency(spec: GateSpec, limit: float, measured: float | None, requests: int) -> GateResult:
    if measured is None or measured != measured:
        return _result(spec, "not_measured", "The 99th percentile of latency was not measured", limit)
    over = f" over {requests:,} requests" if requests else ""
    is_close = f"{measured:.1f}" == f"{limit:.1f}"
    shown = format_figure(measured, limit) if is_close else f"{measured:.1f}"
    words = f"p99 {shown} ms{over}, at most {limit:g} ms"
    found = Measured("latency_p99_ms", requests, measured)
    return _result(spec, "passed" if measured <= limit else "failed", words, limit, found)


def _check_bound(spec: GateSpec, evidence: Evidence) -> GateResult:
    bound, title = bound_of(spec), METRIC_TITLES[spec.metric]
    found = _find(evidence.candidate, spec.metric)
    if found is None or found.value is None:
        reason = found.reason if found else "it is not among the measurements"
        return _result(spec, "not_measured", f"Candidate's {title} was not measured: {reason}", bound)
    need = "at most" if spec.at_most is not None else "at least"
    words = (
        f"Candidate's {title} is {format_figure(found.value, bound)}{_format_interval(found)} "
        f"on {found.rows:,} rows; needs {need} {format_figure(bound)}"
    )
    return _result(spec, "passed" if _holds(spec, found.value) else "failed", words, bound, found)


def _check_versus(spec: GateSpec, evidence: Evidence, model: str) -> GateResult:
    margin, title = margin_of(spec), METRIC_TITLES[spec.metric]
    if not evidence.champion_version:
        return _result(spec, "not_applicable", "First release: there is no champion to compare with", margin)
    champion = f"{model}@{evidence.champion_version}"
    comparison = _find_comparison(evidence, spec.metric, confidence_of(spec))
    if comparison is None:
        reason = _why_not_compared(evidence, spec.metric)
        words = f"Candidate was not compared with {champion} by {title}: {reason}"
        return _result(spec, "not_measured", words, margin)
    state: GateState = "passed" if comparison.interval.low > margin else "failed"
    words = _compare_words(comparison, champion, margin, seen=state == "passed")
    found = Measured(spec.metric, comparison.rows, comparison.delta, comparison.interval)
    return _result(spec, state, words, margin, found)


def _compare_words(comparison: Comparison, champion: str, margin: float, *, seen: bool) -> str:
    interval, title = comparison.interval, METRIC_TITLES[comparison.metric]
    better = "better" if comparison.delta >= 0 else "worse"
    words = (
        f"Candidate {format_figure(abs(comparison.delta), 0.0)} {title} {better} than {champion} "
        f"({interval.confidence * 100:g} % interval {format_figure(interval.low, margin)} "
        f"to {format_figure(interval.high, margin)}) on {comparison.rows:,} rows; "
        f"needs more than {format_figure(margin)}"
    )
    if seen:
        return words
    least = margin + comparison.minimum_detectable
    return f"{words}; on these rows a difference shows from about {format_figure(least)} up"


def _check_slices(spec: GateSpec, evidence: Evidence) -> GateResult:
    bound, title, least = bound_of(spec), METRIC_TITLES[spec.metric], min_rows_of(spec)
    slices = [s for s in evidence.slices if s.column == spec.slice and s.candidate.metric == spec.metric]
    large = [piece for piece in slices if piece.rows >= least]
    if not large:
        sizes = f"the largest has {max(s.rows for s in slices):,}" if slices else "it was not sliced"
        words = f"No value of {spec.slice} has {least:,} rows: {sizes}"
        return _result(spec, "not_measured", words, bound)
    unknown = [piece for piece in large if piece.candidate.value is None]
    if unknown:
        words = f"{title} was not measured for {_name_slices(unknown, spec)}: {unknown[0].candidate.reason}"
        return _result(spec, "not_measured", words, bound)
    return _judge_slices(spec, large, len(slices) - len(large))


def _judge_slices(spec: GateSpec, large: Sequence[SliceMeasured], skipped: int) -> GateResult:
    bound, title = bound_of(spec), METRIC_TITLES[spec.metric]
    values = {piece.value: piece.candidate.value or 0.0 for piece in large}
    order = sorted(large, key=lambda piece: values[piece.value], reverse=spec.at_most is not None)
    worst, failing = order[0], [piece for piece in order if not _holds(spec, values[piece.value])]
    need = f"needs {'at most' if spec.at_most is not None else 'at least'} {format_figure(bound)}"
    small = f"; {skipped:,} with fewer than {min_rows_of(spec):,} rows not measured" if skipped else ""
    words = f"{len(failing) or len(large)} of {len(large)} values of {spec.slice}"
    if failing:
        words += f" fail in {title}: {_name_slices(failing, spec)}"
    else:
        words += f" hold in {title}, the worst {_name_slices([worst], spec)}"
    state: GateState = "failed" if failing else "passed"
    return _result(spec, state, f"{words}; {need}{small}", bound, worst.candidate)


def _name_slices(pieces: Sequence[SliceMeasured], spec: GateSpec) -> str:
    names = [
        piece.value
        if piece.candidate.value is None
        else f"{piece.value} {format_figure(piece.candidate.value, bound_of(spec))} on {piece.rows:,} rows"
        for piece in pieces[:_WORDS_MAX_SLICES]
    ]
    more = len(pieces) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _holds(spec: GateSpec, value: float) -> bool:
    return value <= bound_of(spec) if spec.at_most is not None else value >= bound_of(spec)


def _find(measurements: Sequence[Measured], metric: str) -> Measured | None:
    return next((found for found in measurements if found.metric == metric), None)


def _find_comparison(evidence: Evidence, metric: str, confidence: float) -> Comparison | None:
    fitting = (c for c in evidence.comparisons if c.metric == metric and c.interval.confidence == confidence)
    return next(fitting, None)


def _why_not_compared(evidence: Evidence, metric: str) -> str:
    if not evidence.champion:
        return "the champion was not scored on these rows"
    both = (_find(evidence.candidate, metric), _find(evidence.champion, metric))
    reasons = [found.reason for found in both if found is not None and found.reason]
    return reasons[0] if reasons else "too few resamples hold both classes"


def _format_interval(found: Measured) -> str:
    if found.interval is None:
        return ""
    low, high = format_figure(found.interval.low), format_figure(found.interval.high)
    return f" ({found.interval.confidence * 100:g} % interval {low} to {high})"


def _round(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text
