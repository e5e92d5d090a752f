"""The gate report as it lies on disk."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from paddock.evaluation import GateReport, GateSpec, check_gates, decode_report, encode_report
from paddock.kernel.refs import DatasetRef

ROOT = Path(__file__).parents[3]
FROZEN = ROOT / "tests" / "frozen" / "gate-report-v1.json"


def test_frozen_report_reads_as_ever():
    """A report of format 1 keeps its meaning."""
    report = decode_report(FROZEN.read_bytes())

    assert (report.report_id, report.model) == ("013dc40e75007000800000000000cafe", "delay")
    assert (report.passed, report.champion_version, report.rows) == (False, 3, 600)
    assert (report.seed, report.draws, report.datasets) == (7, 200, (DatasetRef("flights", 3),))
    assert report.created_at == datetime(2013, 4, 1, 5, tzinfo=UTC)
    assert [result.state for result in report.results] == [
        "passed",
        "passed",
        "passed",
        "failed",
        "not_measured",
    ]
    assert report.results[0].spec == GateSpec(metric="roc_auc", at_least=0.65)
    assert report.evidence.candidate[0].value == 0.7571200877926422
    assert (report.evidence.slices[0].value, report.evidence.slices[0].rows) == ("AA", 360)


def test_frozen_report_is_written_as_ever():
    """Reading and writing format 1 gives the same bytes."""
    body = FROZEN.read_bytes()

    assert encode_report(decode_report(body)) == body


def test_frozen_evidence_is_judged_as_ever():
    """The same evidence and the same gates give the results that were stored."""
    report = decode_report(FROZEN.read_bytes())

    results = check_gates([result.spec for result in report.results], report.evidence, model="delay")

    assert results == report.results


def test_format_page_names_every_key():
    """The page of the format describes every key of a report."""
    page = (ROOT / "docs" / "formats" / "gate-report.md").read_text()

    keys = {
        key for kind in struct_types(GateReport) for key in kind.__struct_fields__ if kind is not GateSpec
    }

    assert sorted(key for key in keys if f"`{key}`" not in page and f'"{key}"' not in page) == []


def struct_types(kind):
    """Every struct that stands somewhere in `kind`."""
    found = {kind}
    for field in msgspec.structs.fields(kind):
        for part in (field.type, *getattr(field.type, "__args__", ())):
            if isinstance(part, type) and issubclass(part, msgspec.Struct) and part not in found:
                found |= struct_types(part)
    return found
