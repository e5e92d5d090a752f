"""The settings table: every setting of a process, with type, default and one line of help.

Precedence: flag, then environment (`PADDOCK_` and the upper-case name), then `[settings]` of
paddock.toml, then the default. An unknown key is an error that names the nearest known one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from paddock.kernel.errors import InvalidSettings
from paddock.kernel.names import nearest

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. least: the smallest value that makes sense, for numbers."""

    name: str
    default: Value
    help: str
    least: float = 0


SETTINGS: tuple[Setting, ...] = (
    Setting("store", ".paddock", "folder of the store, or postgresql://..."),
    Setting("uri", "", "server the Python client speaks to, such as http://127.0.0.1:8321; empty: the store"),
    Setting("project", "default", "project that is acted in"),
    Setting("principal", "", "who acts; empty means the operating system's user name"),
    Setting("host", "127.0.0.1", "address to listen on; loopback only"),
    Setting("port", 8321, "port of the server"),
    Setting("gateway_port", 8322, "port of the first gateway"),
    Setting("loop_port", 8323, "port of the loop's status"),
    Setting("allowed_hosts", "127.0.0.1,localhost,[::1]", "host names a request may carry"),
    Setting("max_body_bytes", 8_388_608, "largest JSON request body", 1),
    Setting("max_json_depth", 64, "deepest nesting of a JSON request body", 1),
    Setting("request_timeout_s", 30.0, "longest time a request may take", 0.001),
    Setting("max_upload_bytes", 17_179_869_184, "largest file that may be uploaded", 1),
    Setting("upload_timeout_s", 600.0, "longest time the work on an uploaded file may take", 0.001),
    Setting("min_upload_bytes_per_s", 65_536, "slowest upload that is waited for", 1),
    Setting("head_timeout_s", 10.0, "longest time the headers of a request may take to arrive", 0.001),
    Setting("max_head_bytes", 32_768, "largest request line and headers together", 1024),
    Setting("max_headers", 100, "most headers of a request", 16),
    Setting("max_url_bytes", 8_192, "longest address of a request", 256),
    Setting("max_query_fields", 64, "most parameters in the query of a request", 1),
    Setting("max_connections", 2_000, "most connections to the server at a time", 1),
    Setting("keep_alive_s", 75, "longest time an idle connection is kept open", 1),
    Setting("server_threads", 16, "requests the server works on at the same time", 1),
    Setting("max_waiting_requests", 256, "requests that may wait for a thread before new ones are refused"),
    Setting("drain_s", 10, "longest time requests at work get to end when the server stops"),
    Setting("write_queue_size", 10_000, "writes that may wait for the store before new ones are refused", 1),
    Setting("busy_timeout_s", 30.0, "longest wait for another process that writes to the store"),
    Setting("worker_timeout_s", 30.0, "longest time a model worker may take for one batch", 0.001),
    Setting("worker_threads", 1, "threads of one model worker", 1),
    Setting("max_batch_rows", 10_000, "most rows of one inference request", 1),
    Setting("log_mode", "wal", "prediction log: `wal` syncs before the answer, `bounded` after it"),
    Setting("log_segment_bytes", 16_777_216, "size at which a prediction-log segment is closed"),
    Setting("idempotency_keys", 262_144, "newest idempotency keys a gateway remembers"),
    Setting("idempotency_keep_days", 30, "days a store remembers idempotency keys; 0 means for ever"),
    Setting("parallel_steps", 2, "pipeline steps that run at the same time", 1),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Settings:
    """One value for every row of the table."""

    values: Mapping[str, Value]

    def text(self, name: str) -> str:
        return str(self.values[name])

    def whole(self, name: str) -> int:
        return int(self.values[name])

    def real(self, name: str) -> float:
        return float(self.values[name])


def resolve_settings(
    flags: Mapping[str, Value], environment: Mapping[str, str], file: Mapping[str, object]
) -> Settings:
    """Merge the four sources; all faults are reported together as InvalidSettings.

    flags: values given on the command line; environment: the process environment, of which only
    `PADDOCK_*` names of the table count; file: the `[settings]` table of paddock.toml.

    >>> resolve_settings({}, {"PADDOCK_PORT": "9000"}, {"port": 9001}).whole("port")
    9000
    """
    problems = [f"`{key}` is not a setting{_suggest(key)}" for key in file if key not in _BY_NAME]
    values: dict[str, Value] = {}
    for setting in SETTINGS:
        variable = f"PADDOCK_{setting.name.upper()}"
        if setting.name in flags:
            _keep(values, problems, setting, flags[setting.name], f"`{setting.name}`")
        elif variable in environment:
            _take(values, problems, setting, environment[variable], variable)
        elif setting.name in file:
            _take(values, problems, setting, file[setting.name], f"`{setting.name}` in paddock.toml")
        else:
            values[setting.name] = setting.default
    if problems:
        raise InvalidSettings("; ".join(problems), problems=tuple(problems))
    return Settings(values)


def _suggest(key: str) -> str:
    match = nearest(key, _BY_NAME)
    return f"; the nearest is `{match}`" if match else ""


def _take(values: dict[str, Value], problems: list[str], setting: Setting, raw: object, source: str) -> None:
    wanted = type(setting.default)
    try:
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise ValueError(raw)
        if wanted is int and isinstance(raw, float):
            raise ValueError(raw)
        value = wanted(raw)
    except ValueError:
        article = {str: "a text", int: "a whole number", float: "a number"}[wanted]
        problems.append(f"{source} is `{raw}`, but must be {article}")
    else:
        _keep(values, problems, setting, value, source)


def _keep(values: dict[str, Value], problems: list[str], setting: Setting, value: Value, source: str) -> None:
    if not isinstance(value, str) and not setting.least <= value < math.inf:  # also refuses NaN
        wanted = f"at least {setting.least:g}" if math.isfinite(value) else "a finite number"
        problems.append(f"{source} is `{value}`, but must be {wanted}")
    values[setting.name] = value
