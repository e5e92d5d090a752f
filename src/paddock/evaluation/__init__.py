"""How good a candidate is, and whether that is enough.

- A metric that was not measured never passes a gate; "not enough rows" is an answer.
- Candidate and champion are compared on the same rows under the same resamples, and the answer
  names the smallest improvement those rows could have shown.
- Same rows, scores and seed give the same numbers, bit for bit.
- A gate report is stored as an object that never changes; the row beside it says where it lies.
"""

from paddock.evaluation.codec import decode_report, encode_report
from paddock.evaluation.compare import (
    DEFAULT_DRAWS,
    PairMeasured,
    compare_paired,
    measure,
    measure_pair,
)
from paddock.evaluation.delong import AucDifference, AucEstimate, estimate_auc, estimate_auc_difference
from paddock.evaluation.metrics import METRICS, accuracy, brier, f1, log_loss, roc_auc
from paddock.evaluation.records import (
    LOWER_IS_BETTER,
    METRIC_TITLES,
    REPORT_FORMAT,
    Comparison,
    Evidence,
    GateReport,
    GateResult,
    GateSpec,
    GateState,
    Interval,
    Measured,
    ReportSummary,
    SliceMeasured,
    SliceSpec,
)
from paddock.evaluation.rules import check_gates, format_figure, is_passed
from paddock.evaluation.scoring import score_package, score_rows
from paddock.evaluation.service import (
    Evaluation,
    find_report_summary,
    note_registration,
)
from paddock.evaluation.slices import measure_slices, slice_by_quantile, slice_table
from paddock.evaluation.specs import check_spec, describe_gate, parse_gates
from paddock.evaluation.trial import Trial, measure_trial

__all__ = [
    "DEFAULT_DRAWS",
    "LOWER_IS_BETTER",
    "METRICS",
    "METRIC_TITLES",
    "REPORT_FORMAT",
    "AucDifference",
    "AucEstimate",
    "Comparison",
    "Evaluation",
    "Evidence",
    "GateReport",
    "GateResult",
    "GateSpec",
    "GateState",
    "Interval",
    "Measured",
    "PairMeasured",
    "ReportSummary",
    "SliceMeasured",
    "SliceSpec",
    "Trial",
    "accuracy",
    "brier",
    "check_gates",
    "check_spec",
    "compare_paired",
    "decode_report",
    "describe_gate",
    "encode_report",
    "estimate_auc",
    "estimate_auc_difference",
    "f1",
    "find_report_summary",
    "format_figure",
    "is_passed",
    "log_loss",
    "measure",
    "measure_pair",
    "measure_slices",
    "measure_trial",
    "note_registration",
    "parse_gates",
    "roc_auc",
    "score_package",
    "score_rows",
    "slice_by_quantile",
    "slice_table",
]
