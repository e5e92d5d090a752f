"""How much of anything one client may ask for."""

from dataclasses import dataclass

from paddock.kernel.settings import Settings
from paddock.wire import DEFAULT_LIMITS, JsonLimits

MAX_HEAD_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of one server process.

    head_*: request line and headers. request_timeout_s: reading a JSON body, and again the work.
    min_upload_bytes_per_s: an upload slower than this, beyond the first request_timeout_s, is ended.
    threads, waiting_calls: handlers at work and in the queue; more are answered 503.
    """

    json: JsonLimits = DEFAULT_LIMITS
    allowed_hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})
    request_timeout_s: float = 30.0
    upload_timeout_s: float = 600.0
    min_upload_bytes_per_s: int = 65_536
    max_upload_bytes: int = 16 * 1024**3
    head_timeout_s: float = MAX_HEAD_TIMEOUT_S
    head_bytes: int = 32_768
    head_fields: int = 100
    url_bytes: int = 8_192
    query_fields: int = 64
    connections: int = 2_000
    threads: int = 16
    waiting_calls: int = 256


def limits_of(settings: Settings) -> ServerLimits:
    """Return the limits that `settings` ask for; the address that is listened on is always allowed."""
    timeout_s = settings.real("request_timeout_s")
    hosts = {host.strip().lower() for host in settings.text("allowed_hosts").split(",")}
    host = settings.text("host").lower()
    hosts.add(f"[{host}]" if ":" in host else host)
    return ServerLimits(
        json=JsonLimits(settings.whole("max_body_bytes"), settings.whole("max_json_depth")),
        allowed_hosts=frozenset(hosts - {""}),
        request_timeout_s=timeout_s,
        head_timeout_s=min(timeout_s, MAX_HEAD_TIMEOUT_S),
    )
