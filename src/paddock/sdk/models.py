"""Holding gates and moving aliases from Python."""

from pathlib import Path

import msgspec

from paddock.kernel.names import check_name
from paddock.kernel.refs import ModelVersionRef, parse_ref, refuse_unnamed
from paddock.sdk.ambient import current_store
from paddock.sdk.ports import ModelStore
from paddock.wire import structs


def promote(
    ref: ModelVersionRef | str,
    alias: str = "champion",
    *,
    reason: str = "promoted from Python",
    key: str = "",
) -> structs.AliasChange:
    """Point `alias` at a version that a passed gate report speaks for.

    ref: what `log_model` returned, `delay@7` or `delay@challenger`; a name alone is InvalidInput. key: an
    idempotency key; with it the same call is one effect. Raises PromotionRefused, which says what is
    missing.
    """
    models = current_store().models
    version = _resolve(models, ref)
    if isinstance(ref, str) and not parse_ref("model", ref)[1]:
        hint = f'pk.promote("{version}")' if alias == "champion" else f'pk.promote("{version}", "{alias}")'
        raise refuse_unnamed("model", version.name, version.version, hint=hint)
    request = structs.Promote(version=version.version, alias=alias, reason=reason)
    return models.promote(version.name, request, key=key)


def gate(ref: ModelVersionRef | str, *, rows: str, label: str, key: str = "") -> structs.GateReport:
    """Hold a version against its gates in paddock.toml of the current folder, and let it stand on the report.

    rows: a dataset version that the model has not seen, `flights@2`; label: its column of 0 and 1.
    key: an idempotency key; asked again under it, the same report. A store behind a server runs the model
    there, one gate at a time; where this folder declares none, the gates of the server's own paddock.toml
    count. A failed gate is a report with `passed` False. Raises InvalidInput when no gate is declared, and
    for rows the version was made from, and VerificationFailed when golden requests are answered differently.
    """
    models = current_store().models
    version = _resolve(models, ref)
    request = structs.HoldGate(rows=rows, label=label, gates=_declared_gates(version.name))
    return models.gate(version, request, key=key)


def rollback(name: str, *, reason: str = "rolled back from Python", key: str = "") -> structs.AliasChange:
    """Return the champion of model `name` to the version that was champion before it.

    key: an idempotency key; without it a second call goes back one version further.
    """
    check_name("model", name)
    return current_store().models.rollback(name, structs.Rollback(reason=reason), key=key)


def _declared_gates(model: str) -> tuple[structs.DeclaredGate, ...]:
    from paddock.app import find_gates

    found = find_gates(Path("paddock.toml"), model)
    return tuple(msgspec.convert(each, structs.DeclaredGate, from_attributes=True) for each in found)


def _resolve(models: ModelStore, ref: ModelVersionRef | str) -> ModelVersionRef:
    if isinstance(ref, ModelVersionRef):
        return ref
    found = models.get(ref)
    return ModelVersionRef(found.name, found.version)
