"""The state folder of a gateway: all that it needs to serve, also when nothing else is up.

config.json          what is to be served, written by the control plane, always as a whole
last-good.json       the last config the gateway loaded, written by the gateway
packages/<digest>/   model packages
packages.lock        held by whoever adds or removes packages
predictions/         the prediction log and the labels
gateway.json         pid and address of the running gateway
gateway.log          what it reported
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from paddock.kernel.digest import Digest
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.serving.records import EndpointConfig
from paddock.serving.rules import check_config


class GatewayAddress(msgspec.Struct, frozen=True):
    pid: int
    url: str


@dataclass(frozen=True, slots=True)
class GatewayState:
    """Paths and files of one state folder."""

    folder: Path

    @property
    def config_path(self) -> Path:
        return self.folder / "config.json"

    @property
    def last_good_path(self) -> Path:
        return self.folder / "last-good.json"

    @property
    def address_path(self) -> Path:
        return self.folder / "gateway.json"

    @property
    def report_path(self) -> Path:
        return self.folder / "gateway.log"

    @property
    def predictions_folder(self) -> Path:
        return self.folder / "predictions"

    @property
    def packages_folder(self) -> Path:
        return self.folder / "packages"

    @property
    def packages_lock_path(self) -> Path:
        return self.folder / "packages.lock"

    def package_folder(self, digest: Digest) -> Path:
        return self.packages_folder / digest


def read_config(path: Path) -> EndpointConfig:
    """Read a config. Raises NotFound when there is none, InvalidInput when it may not be served."""
    try:
        body = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no `{path.name}` in `{path.parent}`") from error
    try:
        config = msgspec.json.decode(body, type=EndpointConfig)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"`{path.name}` is not an endpoint config: {error}") from error
    faults = check_config(config)
    if faults:
        raise InvalidInput(f"`{path.name}` cannot be served: {'; '.join(faults)}", problems=faults)
    return config


def write_config(path: Path, config: EndpointConfig) -> None:
    """Write a config so that a reader sees the old or the new one, and a crash leaves one of them."""
    write_durably(path, msgspec.json.format(msgspec.json.encode(config), indent=2))


def write_durably(path: Path, body: bytes) -> None:
    """Replace a file as a whole: temp file beside it, sync, rename, sync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fdatasync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
