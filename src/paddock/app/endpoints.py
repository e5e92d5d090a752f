"""Keeping a gateway in step with the store: what is promoted or rolled back is served within moments."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.kernel.errors import NotFound, PaddockError
from paddock.kernel.settings import Settings
from paddock.serving import (
    EndpointSpec,
    GatewayOptions,
    GatewayState,
    Revision,
    Route,
    publish,
)

if TYPE_CHECKING:
    from paddock.app import App

log = logging.getLogger("paddock.app")


def gateway_options(app: App, endpoint: str, port: int) -> GatewayOptions:
    """Return how the gateway of `endpoint` is started by the settings of `app`."""
    settings: Settings = app.settings
    return GatewayOptions(
        state=app.gateway_folder(endpoint),
        host=settings.text("host"),
        port=port,
        allowed_hosts=settings.text("allowed_hosts"),
        max_body_bytes=settings.whole("max_body_bytes"),
        max_batch_rows=settings.whole("max_batch_rows"),
        request_timeout_s=settings.real("request_timeout_s"),
        worker_timeout_s=settings.real("worker_timeout_s"),
        worker_threads=settings.whole("worker_threads"),
        log_mode="bounded" if settings.text("log_mode") == "bounded" else "wal",
        log_segment_bytes=settings.whole("log_segment_bytes"),
        idempotency_keys=settings.whole("idempotency_keys"),
    )


@dataclass(slots=True)
class EndpointKeeper:
    """One endpoint, and what was last published to its gateway.

    ref: `delay@champion`. Traffic that a rollout has set is left alone: while one is open, and as long as
    the version behind the alias is the first route.
    """

    app: App
    endpoint: str
    ref: str
    _published: int = field(default=0)
    _last_problem: str = field(default="")

    def sync(self) -> bool:
        """Bring the gateway to what the store says and return whether it is; a problem is reported once."""
        try:
            revision = follow_alias(self.app, self.endpoint, self.ref)
            if revision.number > self._published:
                publish(
                    GatewayState(self.app.gateway_folder(self.endpoint)), revision.config, self.app.objects
                )
                self._published = revision.number
            self._last_problem = ""
        except PaddockError as error:
            if error.message != self._last_problem:
                fields = {"endpoint": self.endpoint, "reason": error.message}
                log.warning("gateway.not_in_step", extra=fields)
            self._last_problem = error.message
        return not self._last_problem


def ensure_endpoint(app: App, endpoint: str, ref: str) -> Revision:
    """Declare `endpoint` for the model `ref`, unless it is, and let it serve something; publish that."""
    try:
        known = app.endpoints.get_endpoint(endpoint).spec
    except NotFound:
        known = EndpointSpec(ref)
    if known.model == ref:
        app.endpoints.declare(endpoint, known)
    else:
        app.endpoints.declare(endpoint, EndpointSpec(ref, known.rollout))
    revision = follow_alias(app, endpoint, ref)
    publish(GatewayState(app.gateway_folder(endpoint)), revision.config, app.objects)
    return revision


def follow_alias(app: App, endpoint: str, ref: str) -> Revision:
    """Return the newest revision, after making one when the alias has moved and no rollout is open."""
    version = app.registry.get_packaged(ref)
    current = app.endpoints.find_current(endpoint)
    if current is not None:
        is_served = current.config.champion_version == version.version
        if is_served or app.automation.find_open(endpoint) is not None:
            return current
    return app.endpoints.set_traffic(
        endpoint,
        (Route(version.version, 1.0),),
        packages={version.version: version.package_digest},
        reason=f"{ref} is {version.name}@{version.version}",
    )
