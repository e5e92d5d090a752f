"""Moving aliases that no gate guards: all but champion and challenger of a model with packages."""

from datetime import datetime

from paddock.kernel.errors import Conflict
from paddock.kernel.refs import Actor
from paddock.metadata import Transaction
from paddock.registry import rules
from paddock.registry.events import alias_event
from paddock.registry.finding import require_model, require_version
from paddock.registry.records import ALIASES, AliasChange, is_prompt
from paddock.registry.sql import aliases as sql
from paddock.registry.sql.models import get_tags


def set_free(
    tx: Transaction, actor: Actor, name: str, alias: str, number: int, reason: str, at: datetime
) -> AliasChange:
    """Point an alias at a version; where it points already, nothing changes. Event `model.alias_set`."""
    _check_free(tx, actor, name, alias)
    require_version(tx, actor.project_id, name, number)
    last = sql.find_last_change(tx, actor.project_id, name, alias)
    if last is not None and last.to_version == number:
        return last
    move = AliasChange(
        name=name,
        alias=alias,
        kind="set",
        to_version=number,
        reason=reason,
        principal=actor.principal,
        at=at,
    )
    return _append(tx, actor, rules.follow(last, move))


def clear_free(tx: Transaction, actor: Actor, name: str, alias: str, reason: str, at: datetime) -> None:
    """Let an alias point nowhere; where it does already, nothing changes. Event `model.alias_deleted`."""
    _check_free(tx, actor, name, alias)
    last = sql.find_last_change(tx, actor.project_id, name, alias)
    if last is None or not last.to_version:
        return
    move = AliasChange(
        name=name,
        alias=alias,
        kind="cleared",
        to_version=0,
        reason=reason,
        principal=actor.principal,
        at=at,
    )
    _append(tx, actor, rules.follow(last, move))


def _check_free(tx: Transaction, actor: Actor, name: str, alias: str) -> None:
    if require_model(tx, actor.project_id, name).has_packages and alias in ALIASES:
        raise Conflict(
            f"model `{name}` was changed while this was under way", hint="look at it and try again"
        )


def _append(tx: Transaction, actor: Actor, move: AliasChange) -> AliasChange:
    sql.insert_alias_change(tx, actor.project_id, move)
    tags = get_tags(tx, actor.project_id, [move.name]).get(move.name, {})
    tx.append_event(alias_event(actor, move, of_prompt=is_prompt(tags)))
    return move
