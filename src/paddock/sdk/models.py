"""Moving aliases from Python."""

from paddock.kernel.refs import ModelVersionRef
from paddock.registry import AliasChange
from paddock.sdk.ambient import current_app


def promote(
    ref: ModelVersionRef | str, alias: str = "champion", *, reason: str = "promoted from Python"
) -> AliasChange:
    """Point `alias` at a version that a passed gate report speaks for.

    Raises PromotionRefused, which says what is missing.
    """
    return current_app().registry.promote(ref, alias, reason=reason)


def rollback(name: str, *, reason: str = "rolled back from Python") -> AliasChange:
    """Return the champion of model `name` to the version that was champion before it."""
    return current_app().registry.rollback(name, reason=reason)
