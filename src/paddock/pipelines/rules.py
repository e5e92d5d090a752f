"""Keys and verdicts of the step cache, and how a pipeline run ended. Values in, values out."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from paddock.kernel.clock import to_micros
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import InvalidInput
from paddock.kernel.ids import parse_id
from paddock.pipelines.records import CacheEntry, PipelineStatus, StepRun

KEY_SCHEMA = "step-key-2"  # raise it when keys or stored forms change, so that no old output is used
MAX_PARAM_TEXT = 500
MAX_REASON_TEXT = 2_000
MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class KeyParts:
    """What makes a step's output: its name, code, inputs and installed packages."""

    step: str
    code_digest: str
    inputs_digest: str
    environment_digest: str


def cache_key(parts: KeyParts) -> Digest:
    """Return the address under which an output made from these parts is found again.

    >>> cache_key(KeyParts("a", "1", "2", "3")) == cache_key(KeyParts("a", "1", "2", "4"))
    False
    """
    return digest_bytes(msgspec.msgpack.encode([KEY_SCHEMA, parts]))


def explain_miss(parts: KeyParts, latest: CacheEntry | None) -> str:
    """Say why nothing was found, beside the newest output that is kept of this step.

    >>> explain_miss(KeyParts("a", "1", "2", "3"), None)
    'no output of this step is kept yet'
    """
    if latest is None:
        return "no output of this step is kept yet"
    changed = [
        words
        for words, before, now in (
            ("its code changed", latest.code_digest, parts.code_digest),
            ("its inputs changed", latest.inputs_digest, parts.inputs_digest),
            ("the installed packages changed", latest.environment_digest, parts.environment_digest),
        )
        if before != now
    ]
    return " and ".join(changed) or "the way keys are made changed"


def decide_status(steps: Sequence[StepRun]) -> tuple[PipelineStatus, str]:
    """Return the status of a run whose steps have all ended, and the reason when it failed."""
    failed = [step for step in steps if step.state == "failed"]
    if not failed:
        return "succeeded", ""
    first = failed[0]
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return "failed", f"step `{first.name}` failed: {first.reason}{others}"


def format_params(params: Mapping[str, object]) -> dict[str, str]:
    """Return parameters as text for people: numbers and text as they are, of the rest the type.

    >>> format_params({"depth": 6, "frame": object()})
    {'depth': '6', 'frame': 'object'}
    """
    return {
        name: clean_text(str(value), MAX_PARAM_TEXT)
        if isinstance(value, str | int | float | bool | list | tuple | dict | None)
        else type(value).__name__
        for name, value in params.items()
    }


def clean_text(text: str, most: int = MAX_REASON_TEXT) -> str:
    """Return text that every store takes: without NUL and lone surrogates, cut at `most` characters.

    >>> clean_text("a\\x00b")
    'a?b'
    """
    whole = text.encode(errors="replace").decode().replace("\x00", "?")
    return whole if len(whole) <= most else f"{whole[: most - 3]}..."


def format_cursor(started_at: datetime, run_id: str) -> str:
    """Return the opaque cursor that stands behind this run in the order of `list_runs`."""
    return base64.urlsafe_b64encode(f"p1.{to_micros(started_at)}.{run_id}".encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> tuple[int, str]:
    """Return (started_at in microseconds, run id) of a cursor, or raise InvalidInput.

    >>> from paddock.kernel.clock import from_micros
    >>> parse_cursor(format_cursor(from_micros(5), "0192f0c1aabb7ccc8dddeeeeffff0a1b"))
    (5, '0192f0c1aabb7ccc8dddeeeeffff0a1b')
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        version, micros, run_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(".")
        if version != "p1" or len(micros) > 18:
            raise ValueError(version)
        return int(micros), parse_id(run_id)
    except (ValueError, binascii.Error, InvalidInput) as error:
        raise InvalidInput(
            f"`{cursor[:60]!r}` is not a cursor of a list of pipeline runs",
            hint="start again without a cursor",
        ) from error


def check_page_limit(limit: int) -> int:
    """Return `limit` if a page may have so many runs, else raise InvalidInput."""
    if 1 <= limit <= MAX_PAGE:
        return limit
    raise InvalidInput(f"a page has 1 to {MAX_PAGE} runs, not {limit}")
