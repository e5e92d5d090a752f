"""Holding gates and moving aliases from Python."""

from paddock.kernel.names import check_name
from paddock.kernel.refs import ModelVersionRef
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

    ref: what `log_model` returned, `delay@7`, `delay@challenger`, or `delay` for the latest version.
    key: an idempotency key; with it the same call is one effect. Raises PromotionRefused, which says
    what is missing.
    """
    models = current_store().models
    version = _resolve(models, ref)
    request = structs.Promote(version=version.version, alias=alias, reason=reason)
    return models.promote(version.name, request, key=key)


def gate(ref: ModelVersionRef | str, *, rows: str, label: str, key: str = "") -> structs.GateReport:
    """Hold a version against its gates in paddock.toml of the current folder, and let it stand on the report.

    rows: a dataset version that the model has not seen, `flights@2`; label: its column of 0 and 1.
    key: an idempotency key. A failed gate is a report with `passed` False. Raises InvalidSettings when no
    gate is declared, VerificationFailed when golden requests are answered differently, and InvalidInput for
    rows the version was made from, or when the store is behind a server.
    """
    models = current_store().models
    return models.gate(_resolve(models, ref), rows=rows, label=label, key=key)


def rollback(name: str, *, reason: str = "rolled back from Python", key: str = "") -> structs.AliasChange:
    """Return the champion of model `name` to the version that was champion before it.

    key: an idempotency key; without it a second call goes back one version further.
    """
    check_name("model", name)
    return current_store().models.rollback(name, structs.Rollback(reason=reason), key=key)


def _resolve(models: ModelStore, ref: ModelVersionRef | str) -> ModelVersionRef:
    if isinstance(ref, ModelVersionRef):
        return ref
    found = models.get(ref)
    return ModelVersionRef(found.name, found.version)
