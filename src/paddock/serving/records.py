"""Values of the serving room: how an endpoint is declared, what it serves, and its revisions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from paddock.kernel.digest import Digest

CONFIG_FORMAT: Final = 1


class RolloutSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a new version comes in: shadow first, then canary by canary, then champion.

    shadow_rows: rows a candidate answers in shadow; 0 leaves shadow out.
    canary: shares of traffic, rising, each between 0 and 1; empty leaves canary out.
    hold_rows, hold_at_least: rows and time that each canary share lasts, whichever is longer.
    labelled_rows: labelled rows that the candidate has answered, in shadow or in canary, and that the first
    canary step waits for; 0 waits for none.
    give_up_after: a stage (shadow, or one canary share) that still waits this long after it began is taken
    back; longer than hold_at_least.
    """

    shadow_rows: int = 2000
    canary: tuple[float, ...] = (0.05, 0.25)
    hold_rows: int = 2000
    hold_at_least: str = "1h"
    labelled_rows: int = 0
    give_up_after: str = "30d"


class EndpointSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[endpoint.NAME]` table of paddock.toml. model: `delay@champion`."""

    model: str
    rollout: RolloutSpec = RolloutSpec()


class Endpoint(msgspec.Struct, frozen=True):
    """A declared endpoint. salt: decides, with a row's routing key, which route the row takes."""

    name: str
    spec: EndpointSpec
    salt: str
    principal: str
    created_at: datetime


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """weight: share of the rows, between 0 and 1."""

    version: int
    weight: float


class EndpointConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a gateway serves; the content of `config.json`.

    generation: rises with each change. routes: the first one is the champion, all others are canaries;
    the weights add up to 1. shadow_version: scored beside the answers, 0 for none.
    packages: the package digest of every version named.
    """

    endpoint: str
    generation: int
    model: str
    salt: str
    routes: tuple[Route, ...]
    packages: Mapping[int, Digest]
    shadow_version: int = 0
    format: Literal[1] = CONFIG_FORMAT

    @property
    def champion_version(self) -> int:
        return self.routes[0].version


class Revision(msgspec.Struct, frozen=True):
    """One change of what an endpoint serves, and why. number: 1, 2, 3 ...; the config's generation."""

    number: int
    config: EndpointConfig
    reason: str
    principal: str
    created_at: datetime
