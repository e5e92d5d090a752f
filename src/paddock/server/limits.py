"""How much of anything one client may ask for."""

from dataclasses import dataclass

from paddock.kernel.settings import Settings
from paddock.wire import JsonLimits


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of one server process; the defaults are those of the settings.

    head_*: request line and headers. request_timeout_s: reading a JSON body, and again the work; upload_*
    and slow_timeout_s: the work on a file, and that of a route that is slow.
    min_upload_bytes_per_s: an upload slower than this, beyond the first request_timeout_s, is ended.
    threads, waiting_calls: handlers at work and in the queue; more are answered 503.
    keep_alive_s: until an idle connection is closed; drain_s: what requests at work get at the end.
    """

    json: JsonLimits
    allowed_hosts: frozenset[str]
    request_timeout_s: float
    upload_timeout_s: float
    slow_timeout_s: float
    min_upload_bytes_per_s: int
    max_upload_bytes: int
    head_timeout_s: float
    head_bytes: int
    head_fields: int
    url_bytes: int
    query_fields: int
    connections: int
    keep_alive_s: int
    threads: int
    waiting_calls: int
    drain_s: int

    def work_timeout_s(self, *, is_upload: bool, is_slow: bool) -> float:
        """Return how long the work of one request may take."""
        if is_slow:
            return self.slow_timeout_s
        return self.upload_timeout_s if is_upload else self.request_timeout_s


def limits_of(settings: Settings) -> ServerLimits:
    """Return the limits that `settings` ask for; the address that is listened on is always allowed."""
    whole, real = settings.whole, settings.real
    return ServerLimits(
        json=JsonLimits(whole("max_body_bytes"), whole("max_json_depth")),
        allowed_hosts=_hosts_of(settings),
        request_timeout_s=real("request_timeout_s"),
        upload_timeout_s=real("upload_timeout_s"),
        slow_timeout_s=real("slow_timeout_s"),
        min_upload_bytes_per_s=whole("min_upload_bytes_per_s"),
        max_upload_bytes=whole("max_upload_bytes"),
        # who gives a whole request a second does not wait ten for its headers
        head_timeout_s=min(real("request_timeout_s"), real("head_timeout_s")),
        head_bytes=whole("max_head_bytes"),
        head_fields=whole("max_headers"),
        url_bytes=whole("max_url_bytes"),
        query_fields=whole("max_query_fields"),
        connections=whole("max_connections"),
        keep_alive_s=whole("keep_alive_s"),
        threads=whole("server_threads"),
        waiting_calls=whole("max_waiting_requests"),
        drain_s=whole("drain_s"),
    )


def _hosts_of(settings: Settings) -> frozenset[str]:
    hosts = {host.strip().lower() for host in settings.text("allowed_hosts").split(",")}
    host = settings.text("host").lower()
    hosts.add(f"[{host}]" if ":" in host else host)
    return frozenset(hosts - {""})
