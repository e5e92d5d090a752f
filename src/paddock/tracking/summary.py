"""The summary of a run: everything small that was logged to it, as JSON that is ready to be sent.

A list of runs is read from summaries alone. Each write to a run patches its summary in the same transaction.
A summary beyond MAX_SUMMARY_BYTES is not kept: its body is OVERSIZE then, and it is put together when it is
read. Its form is the part of a run that MLflow's clients read; see docs/formats/run-summary.md.
"""

import math
import sys
from collections.abc import Iterable, Mapping

import msgspec

from paddock.kernel.errors import IntegrityError
from paddock.kernel.refs import DatasetRef, parse_ref, parse_version
from paddock.tracking.records import DescribedInput, MetricPoint, ModelLink, RunInput

MAX_SUMMARY_BYTES = 32_768
OVERSIZE = "-"
OWN_SOURCE = "paddock"
CONTEXT_TAG = "mlflow.data.context"


class Pair(msgspec.Struct, frozen=True, gc=False):
    key: str
    value: str


class LatestMetric(msgspec.Struct, frozen=True, gc=False):
    """timestamp: milliseconds. value: `NaN`, or a number, the infinities as the largest ones there are."""

    key: str
    value: float | str
    timestamp: int
    step: int


class SummaryData(msgspec.Struct, frozen=True):
    metrics: tuple[LatestMetric, ...] = ()
    params: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class SummaryDataset(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str = ""
    profile: str = ""


class DatasetInput(msgspec.Struct, frozen=True):
    tags: tuple[Pair, ...]
    dataset: SummaryDataset


class ModelInput(msgspec.Struct, frozen=True):
    model_id: str


class ModelOutput(msgspec.Struct, frozen=True):
    model_id: str
    step: int


class SummaryInputs(msgspec.Struct, frozen=True):
    dataset_inputs: tuple[DatasetInput, ...] = ()
    model_inputs: tuple[ModelInput, ...] = ()


class SummaryOutputs(msgspec.Struct, frozen=True):
    model_outputs: tuple[ModelOutput, ...] = ()


class Summary(msgspec.Struct, frozen=True):
    """What was logged to one run; each list by key, or in the order of logging where there is none."""

    data: SummaryData = SummaryData()
    inputs: SummaryInputs = SummaryInputs()
    outputs: SummaryOutputs = SummaryOutputs()

    def with_metrics(self, points: Iterable[MetricPoint]) -> "Summary":
        """Return it with these points as the latest of their keys."""
        known = {metric.key: metric for metric in self.data.metrics}
        known.update((point.key, latest_metric(point)) for point in points)
        return self._with_data(metrics=tuple(known.values()))

    def with_params(self, params: Mapping[str, str]) -> "Summary":
        return self._with_data(params=_merge(self.data.params, params)) if params else self

    def with_tags(self, tags: Mapping[str, str]) -> "Summary":
        return self._with_data(tags=_merge(self.data.tags, tags)) if tags else self

    def with_inputs(self, added: Iterable[DatasetInput]) -> "Summary":
        """Return it with these inputs, those that it has already left as they are."""
        known = {_input_key(each): each for each in self.inputs.dataset_inputs}
        for each in added:
            known.setdefault(_input_key(each), each)
        inputs = SummaryInputs(tuple(known.values()), self.inputs.model_inputs)
        return Summary(self.data, inputs, self.outputs)

    def with_models(self, read: Iterable[ModelLink], made: Iterable[ModelLink]) -> "Summary":
        """Return it with these logged models, those that it has already left as they are."""
        inputs = {each.model_id: each for each in self.inputs.model_inputs}
        outputs = {each.model_id: each for each in self.outputs.model_outputs}
        for link in read:
            inputs.setdefault(link.model_id, ModelInput(link.model_id))
        for link in made:
            outputs.setdefault(link.model_id, ModelOutput(link.model_id, link.step))
        return Summary(
            self.data,
            SummaryInputs(self.inputs.dataset_inputs, tuple(inputs.values())),
            SummaryOutputs(tuple(outputs.values())),
        )

    def without_tag(self, key: str) -> "Summary":
        return self._with_data(tags=tuple(tag for tag in self.data.tags if tag.key != key))

    @property
    def params(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.data.params}

    @property
    def tags(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.data.tags}

    @property
    def metrics(self) -> dict[str, float]:
        """Latest value of each key; NaN and the infinities as they were logged."""
        return {metric.key: read_value(metric.value) for metric in self.data.metrics}

    @property
    def own_inputs(self) -> tuple[RunInput, ...]:
        """Dataset versions of this store that the run has read."""
        return tuple(
            RunInput(_own_ref(each.dataset), _context(each.tags))
            for each in self.inputs.dataset_inputs
            if each.dataset.source_type == OWN_SOURCE
        )

    def _with_data(
        self,
        *,
        metrics: tuple[LatestMetric, ...] | None = None,
        params: tuple[Pair, ...] | None = None,
        tags: tuple[Pair, ...] | None = None,
    ) -> "Summary":
        old = self.data
        data = SummaryData(
            old.metrics if metrics is None else metrics,
            old.params if params is None else params,
            old.tags if tags is None else tags,
        )
        return Summary(data, self.inputs, self.outputs)


_decoder = msgspec.json.Decoder(Summary)
_encoder = msgspec.json.Encoder()


def encode_summary(summary: Summary) -> str:
    """Return the body to keep, OVERSIZE when it is too large.

    >>> encode_summary(Summary().with_params({"depth": "6"}))[:58]
    '{"data":{"metrics":[],"params":[{"key":"depth","value":"6"'
    """
    body = _encoder.encode(summary)
    return body.decode() if len(body) <= MAX_SUMMARY_BYTES else OVERSIZE


def decode_summary(body: str) -> Summary:
    """Return the summary of a body that is kept."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise IntegrityError(f"the summary of a run cannot be read: {error}") from error


def latest_metric(point: MetricPoint) -> LatestMetric:
    """Return a point as a summary holds it.

    >>> latest_metric(MetricPoint("loss", float("inf"), 3, 5_000)).value == sys.float_info.max
    True
    """
    return LatestMetric(point.key, write_value(point.value), point.at_micros // 1000, point.step)


def write_value(value: float) -> float | str:
    """Return a metric's value as JSON can hold it.

    >>> write_value(float("nan")), write_value(0.5)
    ('NaN', 0.5)
    """
    if math.isnan(value):
        return "NaN"
    largest = sys.float_info.max
    return min(max(value, -largest), largest)


def read_value(value: float | str) -> float:
    """Return the value that `write_value` was given.

    >>> read_value(sys.float_info.max)
    inf
    """
    number = float(value)
    return (
        number if math.isnan(number) or abs(number) < sys.float_info.max else math.copysign(math.inf, number)
    )


def own_input(used: RunInput) -> DatasetInput:
    """Return a dataset version of this store as an input."""
    dataset = SummaryDataset(
        used.dataset.name, str(used.dataset.version), OWN_SOURCE, f"paddock:{used.dataset}"
    )
    return DatasetInput((Pair(CONTEXT_TAG, used.role),) if used.role else (), dataset)


def described_input(given: DescribedInput) -> DatasetInput:
    """Return a dataset that is kept elsewhere as an input."""
    known = given.dataset
    dataset = SummaryDataset(
        known.name, known.digest, known.source_type, known.source, known.schema_text, known.profile
    )
    return DatasetInput(tuple(Pair(key, value) for key, value in given.tags), dataset)


def _own_ref(dataset: SummaryDataset) -> DatasetRef:
    name, version = parse_ref("dataset", dataset.source.removeprefix("paddock:"))
    return DatasetRef(name, parse_version("dataset", version))


def _input_key(given: DatasetInput) -> tuple[str, str, str]:
    is_own = given.dataset.source_type == OWN_SOURCE  # one version may be read in several roles
    return given.dataset.name, given.dataset.digest, _context(given.tags) if is_own else ""


def _context(tags: Iterable[Pair]) -> str:
    return next((tag.value for tag in tags if tag.key == CONTEXT_TAG), "")


def _merge(pairs: tuple[Pair, ...], added: Mapping[str, str]) -> tuple[Pair, ...]:
    known = {pair.key: pair for pair in pairs}
    known.update((key, Pair(key, value)) for key, value in added.items())
    return tuple(known.values())
