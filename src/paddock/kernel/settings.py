"""The settings table: every setting of a process, with type, default and one line of help.

Precedence: flag, then environment (`PADDOCK_` and the upper-case name), then `[settings]` of
paddock.toml, then the default. An unknown key is an error that names the nearest known one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from paddock.kernel.errors import InvalidSettings
from paddock.kernel.names import nearest

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. least, most: the range of a number, both ends included."""

    name: str
    default: Value
    help: str
    least: float = 0
    most: float = 0

    @property
    def range_words(self) -> str:
        """The range as people read it, empty for a text.

        >>> Setting("port", 8321, "port of the server", 0, 65_535).range_words
        'from 0 to 65,535'
        """
        return "" if isinstance(self.default, str) else f"from {self.least:,} to {self.most:,}"


SETTINGS: tuple[Setting, ...] = (
    Setting("store", ".paddock", "folder of the store, or postgresql://..."),
    Setting("uri", "", "server the Python client speaks to, such as http://127.0.0.1:8321; empty: the store"),
    Setting(
        "spool",
        "",
        "folder in which what is logged waits for its store; empty: `spool` in the store's folder",
    ),
    Setting(
        "spool_max_bytes", 1_073_741_824, "most bytes of one run that may wait", 1_048_576, 1_099_511_627_776
    ),
    Setting("flush_timeout_s", 30.0, "longest time the end of a run waits for its store", 0, 86_400),
    Setting("system_metrics_s", 0.0, "seconds between two samples of system metrics; 0: none", 0, 86_400),
    Setting("project", "default", "project that is acted in"),
    Setting("principal", "", "who acts; empty means the operating system's user name"),
    Setting("host", "127.0.0.1", "address to listen on; loopback only"),
    Setting("port", 8321, "port of the server", 0, 65_535),
    Setting("gateway_port", 8322, "port of the first gateway", 0, 65_535),
    Setting("loop_port", 8323, "port of the loop's status", 0, 65_535),
    Setting("allowed_hosts", "127.0.0.1,localhost,[::1]", "host names a request may carry"),
    Setting("max_body_bytes", 8_388_608, "largest JSON request body", 1, 1_073_741_824),
    Setting("max_json_depth", 64, "deepest nesting of a JSON request body", 1, 500),
    Setting("request_timeout_s", 30.0, "longest time a request may take", 0.001, 86_400),
    Setting("max_upload_bytes", 17_179_869_184, "largest file that may be uploaded", 1, 17_592_186_044_416),
    Setting("upload_timeout_s", 600.0, "longest time the work on an uploaded file may take", 0.001, 86_400),
    Setting("slow_timeout_s", 600.0, "longest time a request that runs a model may take", 0.001, 86_400),
    Setting("min_upload_bytes_per_s", 65_536, "slowest upload that is waited for", 1, 1_073_741_824),
    Setting(
        "head_timeout_s", 10.0, "longest time the headers of a request may take to arrive", 0.001, 86_400
    ),
    Setting("max_head_bytes", 32_768, "largest request line and headers together", 1024, 1_048_576),
    Setting("max_headers", 100, "most headers of a request", 16, 10_000),
    Setting("max_url_bytes", 8_192, "longest address of a request", 256, 1_048_576),
    Setting("max_query_fields", 64, "most parameters in the query of a request", 1, 10_000),
    Setting("max_connections", 2_000, "most connections to the server at a time", 1, 1_000_000),
    Setting("keep_alive_s", 75, "longest time an idle connection is kept open", 1, 86_400),
    Setting("server_threads", 16, "requests the server works on at the same time", 1, 1024),
    Setting(
        "max_waiting_requests",
        256,
        "requests that may wait for a thread before new ones are refused",
        0,
        1_000_000,
    ),
    Setting("drain_s", 10, "longest time requests at work get to end when the server stops", 0, 86_400),
    Setting(
        "write_queue_size",
        10_000,
        "writes that may wait for the store before new ones are refused",
        1,
        10_000_000,
    ),
    Setting("busy_timeout_s", 30.0, "longest wait for another process that writes to the store", 0, 86_400),
    Setting("worker_timeout_s", 30.0, "longest time a model worker may take for one batch", 0.001, 86_400),
    Setting("worker_threads", 1, "threads of one model worker", 1, 1024),
    Setting("max_batch_rows", 10_000, "most rows of one inference request", 1, 10_000_000),
    Setting("log_mode", "wal", "prediction log: `wal` syncs before the answer, `bounded` after it"),
    Setting(
        "log_segment_bytes",
        16_777_216,
        "size at which a prediction-log segment is closed",
        0,
        1_099_511_627_776,
    ),
    Setting("idempotency_keys", 262_144, "newest idempotency keys a gateway remembers", 0, 100_000_000),
    Setting(
        "idempotency_keep_days", 30, "days a store remembers idempotency keys; 0 means for ever", 0, 36_500
    ),
    Setting(
        "webhook_hosts", "", "hosts webhooks may go to, such as hooks.example,ci.internal:8443; empty: none"
    ),
    Setting("webhook_attempts", 12, "attempts at one delivery before it is given up", 1, 1000),
    Setting("webhook_key_file", "", "file of the key that seals secrets; empty: webhook.key in the store"),
    Setting("parallel_steps", 2, "pipeline steps that run at the same time", 1, 64),
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
    except (ValueError, OverflowError):  # a whole number may be too large for a float
        article = {str: "a text", int: "a whole number", float: "a number"}[wanted]
        words = f"{article} {setting.range_words}".rstrip()
        problems.append(f"{source} is `{str(raw)[:40]}`, but must be {words}")
    else:
        _keep(values, problems, setting, value, source)


def _keep(values: dict[str, Value], problems: list[str], setting: Setting, value: Value, source: str) -> None:
    if not isinstance(value, str) and not setting.least <= value <= setting.most:  # also refuses NaN
        problems.append(f"{source} is `{str(value)[:40]}`, but must be {setting.range_words}")
    values[setting.name] = value
