"""The limits of the server are settings."""

from dataclasses import fields

import pytest

from paddock.kernel.settings import resolve_settings
from paddock.server.limits import limits_of
from paddock.server.running import configure

SETTING_OF = {
    "request_timeout_s": "request_timeout_s",
    "upload_timeout_s": "upload_timeout_s",
    "slow_timeout_s": "slow_timeout_s",
    "min_upload_bytes_per_s": "min_upload_bytes_per_s",
    "max_upload_bytes": "max_upload_bytes",
    "head_timeout_s": "head_timeout_s",
    "head_bytes": "max_head_bytes",
    "head_fields": "max_headers",
    "url_bytes": "max_url_bytes",
    "query_fields": "max_query_fields",
    "connections": "max_connections",
    "keep_alive_s": "keep_alive_s",
    "threads": "server_threads",
    "waiting_calls": "max_waiting_requests",
    "drain_s": "drain_s",
}


@pytest.mark.parametrize("limit", SETTING_OF)
def test_limit_is_read_from_its_setting(limit: str):
    """A value that is set is the one that counts."""
    default = getattr(limits_of(resolve_settings({}, {}, {})), limit)
    wanted = type(default)(default + 1 if limit != "head_timeout_s" else default - 1)

    settings = resolve_settings({}, {f"PADDOCK_{SETTING_OF[limit].upper()}": str(wanted)}, {})

    assert getattr(limits_of(settings), limit) == wanted


def test_every_limit_has_a_setting():
    """Nothing that bounds the server is fixed in the code."""
    named = {each.name for each in fields(limits_of(resolve_settings({}, {}, {})))}

    assert named - {"json", "allowed_hosts"} == set(SETTING_OF)


def test_headers_are_not_waited_for_longer_than_the_request():
    """A server that gives requests one second gives their headers no more."""
    settings = resolve_settings({"request_timeout_s": 1.0}, {}, {})

    assert limits_of(settings).head_timeout_s == 1.0


def test_times_of_connections_reach_the_server():
    """Keep-alive and the time to drain are those that were set."""
    limits = limits_of(resolve_settings({"keep_alive_s": 7, "drain_s": 3}, {}, {}))

    async def application(*_: object) -> None:
        raise AssertionError

    config = configure(application, limits)

    assert (config.timeout_keep_alive, config.timeout_graceful_shutdown) == (7, 3)
