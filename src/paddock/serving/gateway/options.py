"""The settings of a gateway process, and how they are handed over on its command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from paddock.kernel.errors import InvalidSettings


class GatewayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Names and defaults follow `kernel.settings`; the others belong to the gateway alone.

    port: 0 takes a free one; parent_fd: a pipe whose end of file ends the gateway, -1 for none.
    shadow_wait_s: longest time a row's log entry waits for the shadow's answer.
    shadow_queue_rows: rows that may wait for the shadow before further ones are dropped.
    max_in_flight: requests at work before new ones are refused.
    drain_grace_s: time between "not ready" and the end of accepting, for balancers to notice.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 8322
    allowed_hosts: str = "127.0.0.1,localhost,[::1]"
    max_body_bytes: int = 8_388_608
    max_batch_rows: int = 10_000
    request_timeout_s: float = 30.0
    worker_timeout_s: float = 30.0
    worker_threads: int = 1
    log_mode: Literal["wal", "bounded"] = "wal"
    log_segment_bytes: int = 16_777_216
    idempotency_keys: int = 262_144
    shadow_wait_s: float = 0.25
    shadow_queue_rows: int = 20_000
    max_in_flight: int = 1024
    drain_grace_s: float = 0.2
    parent_fd: int = -1


def format_arguments(options: GatewayOptions) -> list[str]:
    """Return the command line that `parse_arguments` reads back.

    >>> parse_arguments(format_arguments(GatewayOptions(state=Path("/s"), port=0))).port
    0
    """
    fields = msgspec.structs.asdict(options)
    return [f"--{name.replace('_', '-')}={value}" for name, value in fields.items()]


def parse_arguments(arguments: Sequence[str]) -> GatewayOptions:
    """Read a command line; raises InvalidSettings for a value of the wrong type."""
    parser = argparse.ArgumentParser(
        prog="python -m paddock.serving.gateway", description="Answer predictions from a state folder."
    )
    for field in msgspec.structs.fields(GatewayOptions):
        parser.add_argument(f"--{field.name.replace('_', '-')}", required=field.required)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    given["state"] = Path(given["state"])
    try:
        return msgspec.convert(given, GatewayOptions, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"the gateway cannot start: {error}") from error
