"""What `/v2`, `/v2/models/...` and `/status` tell."""

import msgspec

from paddock.serving.gateway.live import LiveConfig
from paddock.serving.gateway.parts import GatewayParts

_DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "category": "BYTES"}


class ServerDescription(msgspec.Struct):
    name: str
    version: str
    extensions: tuple[str, ...] = ()


class TensorDescription(msgspec.Struct):
    name: str
    datatype: str
    shape: tuple[int, ...] = (-1,)


class ModelDescription(msgspec.Struct):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorDescription]
    outputs: list[TensorDescription]


class IndexEntry(msgspec.Struct):
    """A version in the repository index; state: READY or UNAVAILABLE."""

    name: str
    version: str
    state: str
    reason: str


class VersionStatus(msgspec.Struct):
    version: int
    digest: str
    role: str
    weight: float
    is_ready: bool
    pid: int
    sandbox: str
    restarts: int
    waiting_rows: int
    last_failure: str


class LogStatus(msgspec.Struct):
    mode: str
    rows: int
    syncs: int
    refused_rows: int
    lost_rows: int
    waiting_rows: int
    remembered_keys: int
    labels: int


class GatewayStatus(msgspec.Struct):
    """generation: of the config being served, 0 for none; refusal: why a newer one is not."""

    endpoint: str
    model: str
    generation: int
    is_ready: bool
    in_flight: int
    refused_generation: int
    refusal: str
    versions: list[VersionStatus]
    log: LogStatus


def describe_server() -> ServerDescription:
    return ServerDescription(name="paddock-gateway", version="2")


def describe_model(live: LiveConfig, version: int) -> ModelDescription:
    """Return the metadata of one version, 0 meaning the champion's; NotFound when it is not served."""
    signature = live.find(version).manifest.signature
    inputs = [TensorDescription(column.name, _DATATYPES[column.type]) for column in signature.columns]
    outputs = [
        TensorDescription(signature.output.name, "FP64"),
        TensorDescription("paddock.prediction_id", "BYTES"),
        TensorDescription("paddock.model_version", "BYTES"),
    ]
    versions = [str(one) for one in sorted(live.runners)]
    return ModelDescription(live.config.model, versions, "paddock", inputs, outputs)


def describe_index(live: LiveConfig | None, *, only_ready: bool) -> list[IndexEntry]:
    """Return the versions being served, champion first; nothing before the first config."""
    if live is None:
        return []
    return [
        IndexEntry(
            live.config.model,
            str(version),
            "READY" if runner.is_ready else "UNAVAILABLE",
            "" if runner.is_ready else runner.last_failure,
        )
        for version, runner in live.runners.items()
        if runner.is_ready or not only_ready
    ]


def describe_status(parts: GatewayParts, *, is_ready: bool, in_flight: int) -> GatewayStatus:
    live = parts.served.current
    return GatewayStatus(
        endpoint=live.config.endpoint if live else "",
        model=live.config.model if live else "",
        generation=live.config.generation if live else 0,
        is_ready=is_ready,
        in_flight=in_flight,
        refused_generation=parts.watcher.status.refused_generation,
        refusal=parts.watcher.status.refusal,
        versions=_describe_versions(live) if live else [],
        log=_describe_log(parts),
    )


def _describe_versions(live: LiveConfig) -> list[VersionStatus]:
    weights = {route.version: route.weight for route in live.config.routes}
    return [
        VersionStatus(
            version=version,
            digest=runner.package.digest,
            role=live.role_of(version),
            weight=weights.get(version, 0.0),
            is_ready=runner.is_ready,
            pid=runner.pid,
            sandbox=runner.sandbox_level,
            restarts=runner.restarts,
            waiting_rows=runner.waiting_rows,
            last_failure=runner.last_failure,
        )
        for version, runner in live.runners.items()
    ]


def _describe_log(parts: GatewayParts) -> LogStatus:
    stats = parts.log.stats()
    return LogStatus(
        mode=parts.log.mode,
        rows=stats.rows,
        syncs=stats.syncs,
        refused_rows=stats.refused_rows,
        lost_rows=stats.lost_rows,
        waiting_rows=stats.waiting_rows,
        remembered_keys=len(parts.log.answers),
        labels=parts.labels.stats().rows,
    )
