"""Summaries of runs, read from where they are kept or put together from the tables."""

import msgspec

from paddock.kernel.refs import DatasetRef
from paddock.metadata import Reader
from paddock.tracking.records import DescribedInput, RunInput
from paddock.tracking.sql import points, runs
from paddock.tracking.summary import (
    OVERSIZE,
    Summary,
    decode_summary,
    described_input,
    own_input,
)

_tags = msgspec.json.Decoder(tuple[tuple[str, str], ...])


def read_summary(reader: Reader, row: runs.RunRow) -> Summary:
    """Return what was logged to a run."""
    if row.summary not in ("", OVERSIZE):
        return decode_summary(row.summary)
    run_no = row.key.run_no
    own = [
        RunInput(DatasetRef(name, version), role) for name, version, role in runs.list_inputs(reader, run_no)
    ]
    described = [
        described_input(DescribedInput(given.dataset, _tags.decode(tags)))
        for given, tags in runs.list_described_inputs(reader, run_no)
    ]
    read, made = (
        runs.list_model_links(reader, run_no, "input"),
        runs.list_model_links(reader, run_no, "output"),
    )
    return (
        Summary()
        .with_metrics(points.get_latest(reader, run_no).values())
        .with_params(runs.get_params(reader, run_no))
        .with_tags(runs.get_tags(reader, run_no))
        .with_inputs([*map(own_input, own), *described])
        .with_models(read, made)
    )
