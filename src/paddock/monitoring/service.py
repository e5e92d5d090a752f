"""Judge windows of live rows, keep every revision, and say which alarms stand."""

from dataclasses import dataclass

import msgspec
import pyarrow as pa

from paddock.datasets import Profile, decode_profile, encode_profile
from paddock.kernel.clock import Clock, format_time
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import NotFound
from paddock.kernel.names import check_name
from paddock.kernel.refs import Actor
from paddock.metadata import Metadata, NewEvent, Reader, Transaction
from paddock.monitoring import rules, sql
from paddock.monitoring.measuring import Reference, measure_window
from paddock.monitoring.records import (
    Alarm,
    MonitorSpec,
    MonitorSummary,
    OpenAlarm,
    Window,
    WindowFacts,
    WindowReport,
)
from paddock.objects import ObjectStore

# windows in which the newest one with labels is looked for
_OPEN_WITHIN = 60


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The monitors of one project, as one actor sees and feeds them."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    def evaluate(
        self,
        monitor: str,
        spec: MonitorSpec,
        window: Window,
        rows: pa.Table,
        *,
        reference: Profile,
        reference_quality: float,
        stretches: tuple[Profile, ...] = (),
    ) -> WindowReport:
        """Judge the rows of one window and store the report; one monitor has one size of window.

        rows: all rows of the window with the columns `prediction`, `version`, `label` (null where
        there is none yet; not needed without `spec.labels`), the features of `reference`, and
        `event_time` if label coverage is to be told row by row. reference: profile of the features
        and of `prediction` at release; reference_quality: the metric there; stretches: profiles of its
        parts that are as long as the window, which say how much windows differ without any drift.

        The same findings again return the stored report, if they also mean the same beside the windows
        before, whose labels may have come meanwhile. Other ones, such as more labels, become the next
        revision, which then counts. Events `monitor.window` and, for an alarm that the revision before
        did not raise, `monitor.alarm`, are part of the same transaction.
        """
        check_name("monitor", monitor)
        rules.check_spec(spec)
        now = self.clock.now()
        measured = measure_window(spec, window, rows, Reference(reference, reference_quality, stretches), now)
        profile_digest = self.objects.put(encode_profile(measured.profile))
        facts_digest = _digest_facts(spec, measured.facts, profile_digest)
        findings = rules.find(spec, window, measured.facts)
        _, of = rules.parse_alarm_windows(spec.alarm_windows)
        project = self.actor.project_id

        def change(tx: Transaction) -> WindowReport:
            stored = sql.find_latest(tx, project, monitor, window)
            before = sql.list_before(tx, project, monitor, window, of - 1) if of > 1 else ()
            earlier = [report.findings for report in before]
            decision = rules.decide_window(spec, measured.facts, findings, earlier)
            if stored and stored[1] == facts_digest and rules.is_same_outcome(decision, stored[0].decision):
                return stored[0]
            report = WindowReport(
                monitor=monitor,
                endpoint=spec.endpoint,
                window=window,
                revision=stored[0].revision + 1 if stored else 1,
                facts=measured.facts,
                findings=findings,
                decision=decision,
                profile_digest=profile_digest,
                principal=self.actor.principal,
                created_at=now,
            )
            self._store(tx, report, stored[0].alarms if stored else (), facts_digest)
            return report

        return self.metadata.write(change)

    def list_windows(self, monitor: str, *, limit: int = 100) -> tuple[WindowReport, ...]:
        """Return the latest revision of each window, newest window first; NotFound for no monitor."""
        check_name("monitor", monitor)
        project = self.actor.project_id
        reports = self.metadata.read(lambda reader: sql.list_windows(reader, project, monitor, limit))
        if not reports:
            raise NotFound(f"monitor `{monitor}` has judged no window yet", hint="paddock monitor")
        return reports

    def list_revisions(self, monitor: str, window: Window) -> tuple[WindowReport, ...]:
        """Return all revisions of one window, oldest first; empty when it was never judged."""
        project = self.actor.project_id
        return self.metadata.read(lambda reader: sql.list_revisions(reader, project, monitor, window))

    def list_monitors(self) -> tuple[MonitorSummary, ...]:
        """Return every monitor that has judged a window, by name, with its newest window."""
        return self.metadata.read(lambda reader: sql.list_summaries(reader, self.actor.project_id))

    def open_alarms(self) -> tuple[OpenAlarm, ...]:
        """Return the alarms that stand now, by monitor, from one snapshot."""
        project = self.actor.project_id

        def query(reader: Reader) -> tuple[OpenAlarm, ...]:
            names = [summary.monitor for summary in sql.list_summaries(reader, project)]
            windows = [sql.list_windows(reader, project, name, _OPEN_WITHIN) for name in names]
            return tuple(alarm for reports in windows for alarm in rules.find_open_alarms(reports))

        return self.metadata.read(query)

    def get_profile(self, report: WindowReport) -> Profile:
        """Return the profile of the window's rows, over the bins of its reference."""
        return decode_profile(self.objects.get(report.profile_digest))

    def _store(
        self, tx: Transaction, report: WindowReport, before: tuple[Alarm, ...], facts_digest: Digest
    ) -> None:
        project = self.actor.project_id
        sql.retire_latest(tx, project, report.monitor, report.window)
        sql.insert_report(tx, project, report, facts_digest)
        tx.append_event(self._event("monitor.window", report, report.state, report.words))
        for alarm in rules.new_alarms(report.alarms, before):
            tx.append_event(self._event("monitor.alarm", report, alarm.kind, alarm.words))

    def _event(self, kind: str, report: WindowReport, what: str, words: str) -> NewEvent:
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind=kind,
            subject=f"monitor:{report.monitor}",
            event_time=report.created_at,
            data={
                "state" if kind == "monitor.window" else "alarm": what,
                "words": words,
                "endpoint": report.endpoint,
                "model_version": report.facts.main_version,
                "start": format_time(report.start),
                "end": format_time(report.end),
                "revision": report.revision,
            },
        )


def _digest_facts(spec: MonitorSpec, facts: WindowFacts, profile_digest: Digest) -> Digest:
    return digest_bytes(msgspec.json.encode((spec, facts, profile_digest)))
