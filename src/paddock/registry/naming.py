"""Names, aliases, tags and stages as MLflow's clients may choose them. Pure.

Wider than Paddock's own names, which registered packages keep to. Messages are those that clients know.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping

from paddock.kernel.errors import InvalidInput, LimitExceeded
from paddock.registry.records import STAGES, Stage

MAX_NAME_CHARACTERS = 256
MAX_ALIAS_CHARACTERS = 255
MAX_KEY_CHARACTERS = 250
MAX_TAG_CHARACTERS = 100_000
MAX_DESCRIPTION_CHARACTERS = 100_000
MAX_TAGS = 1_000
_ALIAS = re.compile(r"[\w\-]+")
_RESERVED_ALIAS = re.compile(r"[vV]\d+|latest", re.IGNORECASE)
_KEY = re.compile(r"[/\w.\- :]*")


def check_model_name(name: str) -> str:
    """Return `name` if it may name a model, else raise InvalidInput.

    Any line of at most 256 characters without `/` and `:`, which separate it from what follows in a URI.

    >>> check_model_name("Iris classifier")
    'Iris classifier'
    >>> check_model_name("a/b")
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Invalid model name 'a/b'. Names cannot contain '/' or ':'.
    """
    if not name.strip():
        raise InvalidInput("Missing value for required parameter 'name'.")
    if "/" in name or ":" in name:
        raise InvalidInput(f"Invalid model name '{_short(name)}'. Names cannot contain '/' or ':'.")
    if name in (".", "..") or not name.isprintable() or len(name) > MAX_NAME_CHARACTERS:
        raise InvalidInput(
            f"Invalid value \"{_short(name)}\" for parameter 'name' supplied: a name is one line of at most "
            f"{MAX_NAME_CHARACTERS} characters, and neither '.' nor '..'"
        )
    return name


def check_alias_name(alias: str, *, is_new: bool = True) -> str:
    """Return `alias` if it may be one. is_new: refuse words that mean a version by themselves.

    >>> check_alias_name("prod")
    'prod'
    >>> check_alias_name("v12")
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Version alias name 'v12' is reserved.
    """
    if not alias:
        raise InvalidInput("Registered model alias name cannot be empty.")
    if not _ALIAS.fullmatch(alias):
        raise InvalidInput(
            f"Invalid alias name: '{_short(alias)}'. Names may only contain alphanumerics, underscores (_), "
            "and dashes (-)."
        )
    if len(alias) > MAX_ALIAS_CHARACTERS:
        raise InvalidInput(
            f"'Registered model alias name' exceeds the maximum length of {MAX_ALIAS_CHARACTERS} characters"
        )
    if is_new and alias.lower() == "latest":
        raise InvalidInput("'latest' alias name (case insensitive) is reserved.")
    if is_new and _RESERVED_ALIAS.fullmatch(alias):
        raise InvalidInput(f"Version alias name '{alias}' is reserved.")
    return alias


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise InvalidInput for the first tag that cannot be kept.

    >>> check_tags({"team": "ops"})
    >>> check_tags({"": "ops"})
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Missing value for required parameter 'key'.
    """
    if len(tags) > MAX_TAGS:
        raise LimitExceeded(f"{len(tags):,} tags in one call, at most {MAX_TAGS:,} are taken")
    for key, value in tags.items():
        check_tag_key(key)
        if len(value) > MAX_TAG_CHARACTERS:
            raise InvalidInput(f"'value' exceeds the maximum length of {MAX_TAG_CHARACTERS} characters")


def check_tag_key(key: str) -> str:
    """Return `key` if a tag may have it: the same that a run's tag may have.

    >>> check_tag_key("mlflow.prompt.text")
    'mlflow.prompt.text'
    """
    if not key:
        raise InvalidInput("Missing value for required parameter 'key'.")
    resolved = posixpath.normpath(key)
    if not _KEY.fullmatch(key) or resolved != key or resolved.startswith("/") or resolved in (".", ".."):
        raise InvalidInput(
            f"Invalid value \"{_short(key)}\" for parameter 'key' supplied: Names may only contain "
            "alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/), "
            "and must not resolve to other names when treated as files"
        )
    if len(key) > MAX_KEY_CHARACTERS:
        raise InvalidInput(f"'key' exceeds the maximum length of {MAX_KEY_CHARACTERS} characters")
    return key


def check_description(description: str) -> str:
    """Return `description` if it is not too long."""
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        raise InvalidInput(
            f"'description' exceeds the maximum length of {MAX_DESCRIPTION_CHARACTERS} characters"
        )
    return description


def parse_number(text: str) -> int:
    """Return the version number written in `text`.

    >>> parse_number("7")
    7
    >>> parse_number("last")
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Parameter 'version' must be an integer, got 'last'.
    """
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    raise InvalidInput(f"Parameter 'version' must be an integer, got '{_short(text)}'.")


def parse_stage(text: str) -> Stage:
    """Return the stage that `text` names, in any case.

    >>> parse_stage("production")
    'Production'
    """
    for stage in STAGES:
        if stage.lower() == text.lower():
            return stage
    raise InvalidInput(
        f"Invalid Model Version stage: {_short(text)}. Value must be one of {', '.join(STAGES)}."
    )


def parse_stages(texts: Iterable[str]) -> tuple[Stage, ...]:
    """Return the stages named, every stage when none is.

    >>> parse_stages(["staging"]), parse_stages([])
    (('Staging',), ('None', 'Staging', 'Production', 'Archived'))
    """
    return tuple(dict.fromkeys(parse_stage(text) for text in texts)) or STAGES


def parse_model_ref(text: str) -> tuple[str, str]:
    """Split `name@selector` into its two halves, at the last `@`; the selector may be missing.

    >>> parse_model_ref("Iris classifier@prod"), parse_model_ref("delay")
    (('Iris classifier', 'prod'), ('delay', ''))
    """
    name, at, selector = text.rpartition("@")
    if not at:
        return check_model_name(text), ""
    if not selector:
        raise InvalidInput(f"`{text[:80]}` names no version after `@`", hint=f"{name}@1")
    return check_model_name(name), check_alias_name(selector, is_new=False)


def _short(text: str) -> str:
    return text[:80] if text[:80].isprintable() else text[:80].encode("unicode_escape").decode()
