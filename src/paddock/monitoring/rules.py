"""What a window means: which question it can answer, what is worse than allowed, what is an alarm.

Drift of a feature never alarms. In the flights year the temperature has a PSI of 7 in May, while
the model is better than at release; an alarm on features would page all summer. Alarms rest on
measured quality, and on the predictions where labels are not there yet.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from paddock.evaluation import LOWER_IS_BETTER, METRIC_TITLES, METRICS
from paddock.kernel.durations import parse_duration
from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import nearest
from paddock.kernel.wording import count_of
from paddock.monitoring.records import (
    Alarm,
    AlarmKind,
    Decision,
    Findings,
    MonitorSpec,
    OpenAlarm,
    Window,
    WindowFacts,
    WindowReport,
    WindowState,
    WindowUnit,
)
from paddock.monitoring.windows import parse_window_size

DRIFT_FLOOR = 0.1

_K_OF_N = re.compile(r"([1-9][0-9]?) of ([1-9][0-9]?)")


def check_spec(spec: MonitorSpec) -> None:
    """Raise InvalidInput with every fault of `spec`."""
    checks: tuple[Callable[[], object], ...] = (
        lambda: parse_window_size(spec.window),
        lambda: parse_duration(spec.labels.delay if spec.labels else "0d"),
        lambda: parse_alarm_windows(spec.alarm_windows),
        lambda: _check_metric(spec.metric),
        lambda: _check_numbers(spec),
        lambda: _check_budget(spec),
    )
    problems = []
    for check in checks:
        try:
            check()
        except InvalidInput as error:
            problems.append(error.message)
    if problems:
        raise InvalidInput("; ".join(problems), problems=tuple(problems))


def parse_alarm_windows(text: str) -> tuple[int, int]:
    """Return K and N of `K of N`.

    >>> parse_alarm_windows("2 of 3")
    (2, 3)
    """
    match = _K_OF_N.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise InvalidInput(f"`{text[:40]}` is not a number of windows; it is written `2 of 3`")
    return int(match[1]), int(match[2])


def find(spec: MonitorSpec, window: Window, facts: WindowFacts) -> Findings:
    """Return what the window alone says; a question it cannot answer is no breach."""
    has_rows = facts.rows >= spec.min_rows
    has_quality = has_rows and facts.label_count >= spec.min_labels and facts.quality.interval is not None
    return Findings(
        window=window,
        main_version=facts.main_version,
        has_quality=has_quality,
        has_drift=has_rows and facts.prediction is not None,
        quality_breach=has_quality and _is_lost(spec, facts),
        drift_breach=has_rows and facts.prediction is not None and facts.prediction.psi > drift_limit(facts),
    )


def drift_quantile(spec: MonitorSpec) -> float:
    """Return the quantile of windows without drift that the limit on the prediction's PSI is taken from.

    One window without drift passes it with probability p = `false_alarms_per_month` / windows per
    month. An alarm can only begin with a window that passes, so at most that many begin in a month in
    expectation, whatever `alarm_windows` is and however windows hang together; where K of N asks for
    more than one window there are fewer. p is at most 0.05, so that rare windows are no laxer than
    a usual test, and at least 0.0001, what simulation can tell: a smaller budget needs K of N.
    That other limits stand beside it (see `drift_limit`) can only make alarms rarer.

    >>> drift_quantile(MonitorSpec("delay", window="1h", false_alarms_per_month=0.73))
    0.999
    """
    size = parse_window_size(spec.window)
    windows_a_month = _PER_MONTH[size.unit] / size.count
    return 1 - min(max(spec.false_alarms_per_month / windows_a_month, _RAREST), _MOST_FREQUENT)


_PER_MONTH: Mapping[WindowUnit, float] = {"hour": 730.0, "day": 730 / 24, "month": 1.0}
_RAREST = 1e-4
_MOST_FREQUENT = 0.05


def drift_limit(facts: WindowFacts) -> float:
    """Return the PSI of the prediction above which it has moved: chance, but never under 0.1."""
    return max(DRIFT_FLOOR, facts.prediction.threshold if facts.prediction else 0.0)


def decide_window(
    spec: MonitorSpec, facts: WindowFacts, findings: Findings, earlier: Sequence[Findings]
) -> Decision:
    """Return the state of a window, in words, with the alarms that stand at its end.

    earlier: findings of the windows before it, newest first; as many are looked at as
    `alarm_windows` says, and of those only the ones mostly answered by the same model version: a
    new champion is not blamed for the one before it. A window raises no alarm on a question that it
    cannot answer itself.
    """
    needed, of = parse_alarm_windows(spec.alarm_windows)
    recent = [findings, *(each for each in earlier[: of - 1] if each.main_version == findings.main_version)]
    lost, moved = sum(each.quality_breach for each in recent), sum(each.drift_breach for each in recent)
    alarms: list[Alarm] = []
    if findings.has_quality and lost >= needed:
        alarms.append(Alarm("quality", f"{_bound_words(spec, facts)} in {lost} of the last {of} windows"))
    if findings.has_drift and moved >= needed:
        alarms.append(Alarm("drift", f"the predictions moved in {moved} of the last {of} windows"))
    return Decision(_state(spec, facts, findings, alarms), _words(spec, facts), tuple(alarms))


def is_same_outcome(one: Decision, other: Decision) -> bool:
    """Say whether two decisions give a window the same state and alarms, in whatever words."""
    kinds = [{alarm.kind for alarm in each.alarms} for each in (one, other)]
    return one.state == other.state and kinds[0] == kinds[1]


def find_open_alarms(reports: Sequence[WindowReport]) -> tuple[OpenAlarm, ...]:
    """Return the alarms of one monitor that stand now, given its windows, newest first.

    An alarm stands until a newer window can answer the same question and does not raise it.
    """
    standing = []
    for kind in ("quality", "drift"):
        newest = next((report for report in reports if _answers(report.findings, kind)), None)
        for alarm in newest.alarms if newest else ():
            if newest and alarm.kind == kind:
                standing.append(_open(newest, alarm))
    return tuple(standing)


def _answers(findings: Findings, kind: str) -> bool:
    return findings.has_quality if kind == "quality" else findings.has_drift


def _open(report: WindowReport, alarm: Alarm) -> OpenAlarm:
    return OpenAlarm(
        monitor=report.monitor,
        endpoint=report.endpoint,
        model_version=report.facts.main_version,
        window=report.window,
        kind=alarm.kind,
        words=f"{alarm.words}; {report.words}",
    )


def new_alarms(alarms: Sequence[Alarm], before: Sequence[Alarm]) -> tuple[Alarm, ...]:
    """Return the alarms of a kind that the revision before did not raise.

    >>> new_alarms([Alarm("quality", "again")], [Alarm("quality", "first")])
    ()
    """
    known: set[AlarmKind] = {alarm.kind for alarm in before}
    return tuple(alarm for alarm in alarms if alarm.kind not in known)


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        match = nearest(metric, METRICS)
        raise InvalidInput(
            f"`{metric[:40]}` is not a metric" + (f"; the nearest is `{match}`" if match else "")
        )


def _check_numbers(spec: MonitorSpec) -> None:
    if spec.min_rows < 1 or spec.min_labels < 1 or not 0 <= spec.tolerance < float("inf"):
        raise InvalidInput("`min_rows` and `min_labels` must be at least 1, `tolerance` at least 0")


def _check_budget(spec: MonitorSpec) -> None:
    if not 0 < spec.false_alarms_per_month < float("inf"):
        raise InvalidInput(
            f"`false_alarms_per_month` is {spec.false_alarms_per_month:g}, but must be above 0"
        )


def _is_lost(spec: MonitorSpec, facts: WindowFacts) -> bool:
    """Say whether even the good end of the interval is worse than the release less the tolerance."""
    interval = facts.quality.interval
    if interval is None:
        return False
    if spec.metric in LOWER_IS_BETTER:
        return interval.low > _bound(spec, facts)
    return interval.high < _bound(spec, facts)


def _bound(spec: MonitorSpec, facts: WindowFacts) -> float:
    sign = 1 if spec.metric in LOWER_IS_BETTER else -1
    return facts.reference_quality + sign * spec.tolerance


def _bound_words(spec: MonitorSpec, facts: WindowFacts) -> str:
    side = "above" if spec.metric in LOWER_IS_BETTER else "below"
    return f"{METRIC_TITLES[spec.metric]} was surely {side} {_bound(spec, facts):.3f}"


def _state(spec: MonitorSpec, facts: WindowFacts, findings: Findings, alarms: Sequence[Alarm]) -> WindowState:
    if alarms:
        return "alarm"
    if facts.rows < spec.min_rows:
        return "too_few_rows"
    return "no_labels" if spec.labels and not findings.has_quality else "ok"


def _words(spec: MonitorSpec, facts: WindowFacts) -> str:
    if facts.rows < spec.min_rows:
        return f"{count_of(facts.rows, 'row')}, too few to judge; at least {spec.min_rows:,} are needed"
    parts = [_quality_words(spec, facts)] if spec.labels else []
    return "; ".join([*parts, _drift_words(facts)])


def _quality_words(spec: MonitorSpec, facts: WindowFacts) -> str:
    title, quality = METRIC_TITLES[spec.metric], facts.quality
    if facts.label_count < spec.min_labels:
        found = count_of(facts.label_count, "labelled row")
        return f"{found}, too few for {title}; {spec.min_labels:,} are needed"
    if quality.value is None or quality.interval is None:
        return f"{title} was not measured: {quality.reason or 'its interval is unknown'}"
    interval = f"{quality.interval.low:.3f} to {quality.interval.high:.3f}"
    beside = _beside(quality.value, facts.reference_quality)
    return f"{title} {quality.value:.3f} ({interval}) on {quality.rows:,} labelled rows; {beside}"


def _beside(value: float, reference: float) -> str:
    """Return how `value` stands beside the release, by the figures as they are shown.

    >>> _beside(0.651, 0.706)
    '0.055 below the 0.706 at release'
    """
    difference = round(round(value, 3) - round(reference, 3), 3)
    if not difference:
        return f"the same as the {reference:.3f} at release"
    side = "above" if difference > 0 else "below"
    return f"{abs(difference):.3f} {side} the {reference:.3f} at release"


def _drift_words(facts: WindowFacts) -> str:
    if facts.prediction is None:
        return "no predictions"
    side = "above" if facts.prediction.psi > drift_limit(facts) else "within"
    return f"prediction PSI {facts.prediction.psi:.3f}, {side} the limit of {drift_limit(facts):.3f}"
