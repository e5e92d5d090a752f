"""Follows `config.json` and applies each new generation."""

import asyncio
import logging
from dataclasses import dataclass

from paddock.kernel.errors import NotFound, PaddockError, StoreInUse
from paddock.serving.gateway.live import Served
from paddock.serving.packages import prune_packages
from paddock.serving.records import EndpointConfig
from paddock.serving.state import GatewayState, read_config, write_config

_LOG = logging.getLogger(__name__)
_POLL_S = 0.1

_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class ConfigStatus:
    """refused_generation, refusal: the newest config that could not be served, and why; 0 and "" for none."""

    refused_generation: int = 0
    refusal: str = ""


class ConfigWatcher:
    """Applies configs one after the other; the last that worked is kept for the next start.

    Once the one before has drained, packages that no config names any more are removed.
    """

    def __init__(self, state: GatewayState, served: Served) -> None:
        self.status = ConfigStatus()
        self._state = state
        self._served = served
        self._seen: _Stamp | None = None
        self._is_prune_due = False

    async def start(self) -> None:
        """Serve `config.json`, or the last good config when that cannot be served, or nothing yet."""
        if not await self.check():
            try:
                await self._served.apply(read_config(self._state.last_good_path))
            except (PaddockError, OSError) as error:
                _LOG.error("config.no_last_good", extra={"reason": str(error)})

    async def follow(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            await self.check()
            await self.prune()

    async def check(self) -> bool:
        """Apply the config if the file has changed; returns whether a new one is being served."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        config: EndpointConfig | None = None
        try:
            config = read_config(self._state.config_path)
            live = self._served.current
            if live is not None and live.config == config:
                return False
            await self._served.apply(config)
            write_config(self._state.last_good_path, config)
            self._is_prune_due = True
        except (PaddockError, OSError) as error:
            self.status = ConfigStatus(config.generation if config else 0, str(error))
            level = logging.INFO if isinstance(error, NotFound) and config is None else logging.ERROR
            _LOG.log(level, "config.refused", extra={"reason": str(error)})
            return self._served.current is not None and self._served.current.config == config
        except Exception as error:
            # whoever waits for this config must hear that it will not come
            words = f"the gateway failed on it: {type(error).__name__}; its log says more"
            self.status = ConfigStatus(config.generation if config else 0, words)
            raise
        self.status = ConfigStatus()
        return True

    async def prune(self) -> None:
        """Remove the packages that a config applied before has left behind; while one is published, later."""
        live = self._served.current
        if not self._is_prune_due or live is None or not self._served.is_settled:
            return
        try:
            removed = await asyncio.to_thread(prune_packages, self._state, live.config)
        except StoreInUse:
            return
        except (PaddockError, OSError) as error:
            _LOG.warning("packages.not_pruned", extra={"reason": str(error)})
        else:
            if removed:
                _LOG.info("packages.pruned", extra={"packages": removed})
        self._is_prune_due = False

    def _stamp(self) -> _Stamp | None:
        try:
            found = self._state.config_path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
