"""From settings to the services of one actor."""

from __future__ import annotations

import getpass
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.kernel.clock import Clock, SystemClock
from paddock.kernel.errors import Forbidden, InvalidSettings, Unavailable
from paddock.kernel.names import check_name
from paddock.kernel.refs import Actor, ProjectId

if TYPE_CHECKING:
    from paddock.automation import Automation
    from paddock.datasets import Datasets
    from paddock.evaluation import Evaluation
    from paddock.governance import Governance
    from paddock.integrations import Webhooks
    from paddock.kernel.settings import Settings
    from paddock.metadata import Metadata
    from paddock.monitoring import Monitoring
    from paddock.objects import ObjectStore
    from paddock.pipelines import Pipelines
    from paddock.registry import Registry
    from paddock.serving import Endpoints
    from paddock.tracking import (
        Artifacts,
        ArtifactUploads,
        BulkRuns,
        Experiments,
        LoggedModels,
        Searches,
        Tracking,
    )

_POSTGRES = ("postgresql://", "postgres://")
_LOCAL_FOLDER = Path(".paddock")
_METADATA_FILE = "metadata.db"


@dataclass(frozen=True)
class Store:
    """What all actors share: the two stores, the clock, the settings. Close it once."""

    settings: Settings
    metadata: Metadata
    objects: ObjectStore
    clock: Clock

    @property
    def folder(self) -> Path:
        """The local folder of this store: gateways keep their state here."""
        return local_folder(self.settings)


@dataclass(frozen=True)
class App:
    """The services of one actor. Each is made, and its room imported, when it is first asked for."""

    store: Store
    actor: Actor
    _owns_store: bool = field(default=True, repr=False)

    @property
    def settings(self) -> Settings:
        return self.store.settings

    @property
    def metadata(self) -> Metadata:
        return self.store.metadata

    @property
    def objects(self) -> ObjectStore:
        return self.store.objects

    @property
    def clock(self) -> Clock:
        return self.store.clock

    @cached_property
    def datasets(self) -> Datasets:
        from paddock.datasets import Datasets

        return Datasets(self.metadata, self.objects, self.clock, self.actor)

    @cached_property
    def tracking(self) -> Tracking:
        from paddock.tracking import Tracking

        return Tracking(self.metadata, self.objects, self.clock, self.actor)

    @cached_property
    def experiments(self) -> Experiments:
        from paddock.tracking import Experiments

        return Experiments(self.metadata, self.clock, self.actor)

    @cached_property
    def searches(self) -> Searches:
        from paddock.tracking import Searches

        return Searches(self.metadata, self.actor)

    @cached_property
    def bulk_runs(self) -> BulkRuns:
        from paddock.tracking import BulkRuns

        return BulkRuns(self.metadata, self.clock, self.actor)

    @cached_property
    def artifacts(self) -> Artifacts:
        from paddock.tracking import Artifacts

        return Artifacts(self.metadata, self.objects, self.clock, self.actor)

    @cached_property
    def uploads(self) -> ArtifactUploads:
        from paddock.tracking import ArtifactUploads

        return ArtifactUploads(self.artifacts)

    @cached_property
    def logged_models(self) -> LoggedModels:
        from paddock.tracking import LoggedModels

        return LoggedModels(self.metadata, self.clock, self.actor)

    @cached_property
    def pipelines(self) -> Pipelines:
        from paddock.pipelines import Pipelines

        return Pipelines(self.metadata, self.objects, self.clock, self.actor)

    @cached_property
    def evaluation(self) -> Evaluation:
        from paddock.evaluation import Evaluation

        return Evaluation(self.metadata, self.objects, self.clock, self.actor)

    @cached_property
    def registry(self) -> Registry:
        from paddock.registry import Registry

        return Registry(self.metadata, self.objects, self.clock, self.actor)

    @cached_property
    def endpoints(self) -> Endpoints:
        from paddock.serving import Endpoints

        return Endpoints(self.metadata, self.clock, self.actor)

    @cached_property
    def monitoring(self) -> Monitoring:
        from paddock.monitoring import Monitoring

        return Monitoring(self.metadata, self.objects, self.clock, self.actor)

    @cached_property
    def automation(self) -> Automation:
        from paddock.automation import Automation

        return Automation(self.metadata, self.clock, self.actor)

    @cached_property
    def governance(self) -> Governance:
        from paddock.governance import Governance

        return Governance(self.metadata, self.objects, self.clock, self.actor, self.store.folder)

    @cached_property
    def webhooks(self) -> Webhooks:
        from paddock.integrations import Webhooks, dispatch_of

        dispatch = dispatch_of(self.settings, self.store.folder)
        return Webhooks(self.metadata, self.clock, self.actor, dispatch)

    def acting_as(self, actor: Actor) -> App:
        """Return the services of another actor over the same store."""
        return self if actor == self.actor else replace(self, actor=actor, _owns_store=False)

    def gateway_folder(self, endpoint: str) -> Path:
        """Return the state folder of an endpoint's gateway."""
        return self.store.folder / "gateways" / check_name("endpoint", endpoint)

    def close(self) -> None:
        """Finish the writes that wait and let go of the store, if this is the app that opened it."""
        if self._owns_store:
            self.metadata.close()


def open_app(settings: Settings, *, clock: Clock | None = None) -> App:
    """Open the store that `settings` name, made if it is new, and return the services of their principal.

    A store in a folder that this process may not write can be read; what writes to it is Forbidden.

    clock: what services take the time from, the system's when None.
    """
    from paddock.metadata import open_metadata
    from paddock.objects import open_objects

    ticking = clock or SystemClock()
    folder = ensure_folder(settings)
    metadata = open_metadata(
        settings.text("store"),
        clock=SystemClock(),  # received_at is always real time
        write_queue_size=settings.whole("write_queue_size"),
        busy_timeout_s=settings.real("busy_timeout_s"),
    )
    with suppress(Unavailable, Forbidden):  # full, busy or read-only, it is opened all the same
        purge_old_keys(settings, metadata)
    store = Store(settings, metadata, open_objects(str(folder / "objects")), ticking)
    return App(store, actor_of(settings))


def has_store(settings: Settings) -> bool:
    """Tell whether a store is where `settings` say; True for what only opening can tell, such as a server."""
    folder = local_folder(settings)
    return is_in_database(settings) or (folder / _METADATA_FILE).exists() or folder.is_file()


def purge_old_keys(settings: Settings, metadata: Metadata) -> int:
    """Forget idempotency keys that are older than the settings want; return how many, at most 50,000."""
    keep_days = settings.whole("idempotency_keep_days")
    if keep_days == 0:
        return 0
    return metadata.purge_idempotency_keys(SystemClock().now() - timedelta(days=keep_days))


def actor_of(settings: Settings) -> Actor:
    """Return who acts by these settings; without a principal, the operating system's user."""
    project = check_name("project", settings.text("project"))
    return Actor(ProjectId(project), settings.text("principal") or getpass.getuser())


def local_folder(settings: Settings) -> Path:
    """Return the store's folder, or for a store that is a server the folder for what stays local."""
    return _LOCAL_FOLDER if is_in_database(settings) else Path(settings.text("store"))


def ensure_folder(settings: Settings) -> Path:
    """Return the local folder, made (0700) if it is new; InvalidSettings when a file is in its place."""
    folder = local_folder(settings)
    if folder.exists() and not folder.is_dir():
        raise InvalidSettings(f"`{folder}` is a file, but a store is a folder", hint="--store FOLDER")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def is_in_database(settings: Settings) -> bool:
    """Tell whether the store is a database server, `postgresql://...`, and not a folder."""
    return settings.text("store").startswith(_POSTGRES)
