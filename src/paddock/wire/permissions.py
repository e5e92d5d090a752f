"""What a caller may be allowed to do; every route names exactly one of these."""

from collections.abc import Collection
from enum import Enum

from paddock.kernel.errors import Forbidden


class Permission(Enum):
    """A capability, checked before a handler runs. A route without one stops the start of the server."""

    ANYONE = "anyone"  # health, readiness and metrics: no data of a project
    READ = "read"
    LOG_RUNS = "log_runs"
    ADD_DATA = "add_data"
    REGISTER = "register"
    PROMOTE = "promote"
    SET_TRAFFIC = "set_traffic"
    PREDICT = "predict"
    ADMIN = "admin"


# Until there is a login the server answers on loopback only, and whoever reaches it may do everything.
LOCAL_GRANTS = frozenset(Permission)


def check_permission(needed: Permission, granted: Collection[Permission]) -> None:
    """Raise Forbidden when `needed` is neither open to anyone nor among `granted`.

    >>> check_permission(Permission.ANYONE, ())
    >>> check_permission(Permission.PROMOTE, {Permission.READ})
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.Forbidden: this needs the permission `promote`, which the caller does not have
    """
    if needed is Permission.ANYONE or needed in granted:
        return
    raise Forbidden(f"this needs the permission `{needed.value}`, which the caller does not have")
