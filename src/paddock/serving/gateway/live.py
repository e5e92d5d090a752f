"""What is served now, and how the next config takes its place without a failed request."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from paddock.kernel.errors import NotFound
from paddock.serving.gateway.rows import Rows
from paddock.serving.gateway.runner import Package, Vector, VersionRunner, WorkerOptions
from paddock.serving.records import EndpointConfig
from paddock.serving.rules import pick_version, route_point
from paddock.serving.state import GatewayState

_LOG = logging.getLogger(__name__)


class LiveConfig:
    """A config with a running worker for each of its versions; in use until `drained`."""

    def __init__(self, config: EndpointConfig, runners: Mapping[int, VersionRunner]) -> None:
        self.config = config
        self.runners = runners
        self.champion = runners[config.champion_version]
        self.shadow = runners.get(config.shadow_version)
        self.is_split = len(config.routes) > 1
        names = frozenset[str]().union(*(runner.names for runner in runners.values()))
        # columns that only other versions ask for; a client sends what all of them need
        self._foreign = {version: names - runner.names for version, runner in runners.items()}
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()

    def acquire(self) -> None:
        """Keep the workers running until `release`."""
        self._users += 1
        self._unused.clear()

    def release(self) -> None:
        self._users -= 1
        if not self._users:
            self._unused.set()

    def route(self, key: str) -> int:
        """Return the version that answers a row with this routing key."""
        config = self.config
        return pick_version(config.routes, route_point(config.salt, key))

    def find(self, version: int) -> VersionRunner:
        """Return the runner of a version, 0 meaning the champion; NotFound names the versions there are."""
        if not version:
            return self.champion
        if version not in self.runners:
            served = ", ".join(str(one) for one in sorted(self.runners))
            raise NotFound(
                f"version {version} of `{self.config.model}` is not served here; served are: {served}",
                hint="POST /v2/repository/index",
                model=self.config.model,
                version=version,
            )
        return self.runners[version]

    def role_of(self, version: int) -> str:
        """Return champion, canary or shadow."""
        if version == self.config.champion_version:
            return "champion"
        return "shadow" if version == self.config.shadow_version else "canary"

    def ask(self, runner: VersionRunner, rows: Rows) -> "asyncio.Future[Vector]":
        """Queue rows for one of the versions; raises InvalidRows or WorkerFailed as its `submit` does."""
        foreign = self._foreign[runner.package.version]
        columns = rows.columns
        if foreign:
            columns = {name: values for name, values in columns.items() if name not in foreign}
        return runner.submit(runner.encoder.encode(columns))

    async def drained(self) -> None:
        await self._unused.wait()


class Served:
    """The one reference that requests read; `apply` replaces it."""

    def __init__(self, state: GatewayState, options: WorkerOptions) -> None:
        self.current: LiveConfig | None = None
        self._state = state
        self._options = options
        self._retiring: set[asyncio.Task[None]] = set()

    async def apply(self, config: EndpointConfig) -> None:
        """Load and warm what is new beside what is live, then swap, then drain and stop the old.

        Raises, leaving what is live as it is, when a version cannot be loaded or answers its golden
        rows differently. Calls must not overlap.
        """
        old = self.current
        packages = [self._package(config, version) for version in _versions(config)]
        known = old.runners if old else {}
        kept = {one.version: known[one.version] for one in packages if _serves(known.get(one.version), one)}
        started = await self._start([one for one in packages if one.version not in kept])
        runners = kept | {runner.package.version: runner for runner in started}
        self.current = LiveConfig(config, runners)
        _LOG.info("config.applied", extra={"generation": config.generation, "versions": sorted(runners)})
        if old is not None:
            task = asyncio.create_task(self._retire(old, self.current))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left of the configs before the current one."""
        return not self._retiring

    async def close(self) -> None:
        """Stop every worker; requests must have ended."""
        await asyncio.gather(*self._retiring)
        if self.current is not None:
            await asyncio.gather(*[runner.close() for runner in self.current.runners.values()])

    def _package(self, config: EndpointConfig, version: int) -> Package:
        digest = config.packages[version]
        return Package(version, digest, self._state.package_folder(digest))

    async def _start(self, packages: Sequence[Package]) -> list[VersionRunner]:
        """Start workers side by side: all of them, or none and the first error."""
        starting = [asyncio.create_task(VersionRunner.start(one, self._options)) for one in packages]
        try:
            return await asyncio.gather(*starting)
        except BaseException:
            for task in starting:
                task.cancel()
            ended = await asyncio.gather(*starting, return_exceptions=True)
            await asyncio.gather(*[one.close() for one in ended if isinstance(one, VersionRunner)])
            raise

    async def _retire(self, old: LiveConfig, new: LiveConfig) -> None:
        await old.drained()
        kept = set(map(id, new.runners.values()))
        await asyncio.gather(*[one.close() for one in old.runners.values() if id(one) not in kept])


def _serves(runner: VersionRunner | None, package: Package) -> bool:
    return runner is not None and runner.package == package


def _versions(config: EndpointConfig) -> list[int]:
    shadow = [config.shadow_version] if config.shadow_version else []
    return [route.version for route in config.routes] + shadow
