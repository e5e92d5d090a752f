"""Names of artifacts, pages of them, and parts that make a file. Values in, values out."""

import base64
import binascii
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from paddock.kernel.errors import Conflict, InvalidInput, LimitExceeded
from paddock.kernel.refusals import BadPath
from paddock.tracking.artifacts.records import Owner, PartRef, Upload, UploadPart

MAX_PATH_BYTES: Final = 1_024
MAX_SEGMENT_BYTES: Final = 255
MAX_PAGE: Final = 1_000
MAX_PARTS: Final = 10_000
# an upload that nobody completes in this time is dropped
UPLOAD_KEPT: Final = timedelta(days=7)

_OWNER: Final = re.compile(r"(?:runs|models)/[A-Za-z0-9][\w-]{0,255}", re.ASCII)
_UNSEEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, lone surrogate, line and paragraph separator
_SEPARATORS: Final = frozenset("/\\:")
_NO_CHARACTER: Final = "\U0010ffff"  # Unicode never gives it a meaning, and nothing sorts behind it


def check_path(path: str) -> str:
    """Return `path` if it may name a file or a folder, else raise BadPath; a name is never cleaned.

    It is relative, inside of its owner, and one that every file system and every reader takes for the same.

    >>> check_path("plots/roc.svg")
    'plots/roc.svg'
    >>> check_path("plots/../../etc/passwd")
    Traceback (most recent call last):
    ...
    paddock.kernel.refusals.BadPath: `plots/../../etc/passwd` cannot name an artifact: a segment is `..`
    """
    problem = find_path_problem(path)
    if problem:
        raise BadPath(f"`{_short(path)}` cannot name an artifact: {problem}")
    return path


def find_path_problem(path: str) -> str:
    """Return what keeps `path` from naming a file, in words, or an empty string.

    >>> find_path_problem("C:/x"), find_path_problem("notes.")
    ('it holds a `:`', 'a segment ends in a dot or a space')
    """
    if not path:
        return "it is empty"
    if len(path) > MAX_PATH_BYTES:
        return f"it takes more than {MAX_PATH_BYTES:,} bytes"
    if path.startswith("/"):
        return "it is absolute"
    if "\\" in path:
        return "it holds a backslash"
    if ":" in path:
        return "it holds a `:`"
    if _NO_CHARACTER in path or any(unicodedata.category(letter) in _UNSEEN for letter in path):
        return "it holds a control character or what is no character"
    if not unicodedata.is_normalized("NFC", path):
        return "its letters are not in the composed form (NFC)"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"it takes more than {MAX_PATH_BYTES:,} bytes"
    return next(filter(None, map(_segment_problem, path.split("/"))), "")


def check_folder(folder: str) -> str:
    """Return `folder` if it may name a folder; empty is the outermost one.

    >>> check_folder(""), check_folder("plots")
    ('', 'plots')
    """
    return check_path(folder) if folder else folder


def check_owner(owner: str) -> Owner:
    """Return `owner` if it is a run, a logged model or empty, else raise InvalidInput.

    >>> check_owner("runs/0192f0c1")
    'runs/0192f0c1'
    """
    if owner and not _OWNER.fullmatch(owner):
        raise InvalidInput(f"`{_short(owner)}` owns no artifacts; a run or a logged model does")
    return Owner(owner)


def list_ancestors(path: str) -> tuple[str, ...]:
    """Return the folders a path lies in, the outermost first.

    >>> list_ancestors("a/b/c.txt")
    ('a', 'a/b')
    """
    segments = path.split("/")[:-1]
    return tuple("/".join(segments[: count + 1]) for count in range(len(segments)))


def span_of(folder: str) -> tuple[str, str]:
    """Return the paths between which everything below `folder` lies: after the first, before the second.

    >>> span_of("a"), span_of("")
    (('a/', 'a0'), ('', ''))
    """
    return (f"{folder}/", f"{folder}0") if folder else ("", "")  # `0` is the character after `/`


def after_folder(folder: str) -> str:
    """Return a text behind everything below `folder`, and before every other path behind that.

    >>> "a/z" < after_folder("a") < "a0"
    True
    """
    return f"{folder}/{_NO_CHARACTER}"


def format_cursor(path: str, *, is_folder: bool) -> str:
    """Return the opaque cursor that stands behind this entry of a listing.

    >>> parse_cursor(format_cursor("a/b", is_folder=True))
    ('a/b', True)
    """
    text = f"{'d' if is_folder else 'f'}{path}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> tuple[str, bool]:
    """Return the path of the entry behind which a page begins, and whether it is a folder."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        if text[:1] not in ("d", "f") or find_path_problem(text[1:]):
            raise ValueError(text)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            f"`{_short(cursor)}` is not a cursor of a list of artifacts", hint="start again without a cursor"
        ) from error
    return text[1:], text[0] == "d"


def parse_place(cursor: str, folder: str) -> str:
    """Return behind which path a page of `folder` begins; InvalidInput for a cursor of another folder.

    >>> parse_place(format_cursor("a/b.txt", is_folder=False), "a")
    'a/b.txt'
    """
    path, is_folder = parse_cursor(cursor)
    if folder and not path.startswith(f"{folder}/"):
        raise InvalidInput(
            f"`{_short(cursor)}` is a cursor of another folder", hint="start again without a cursor"
        )
    return after_folder(path) if is_folder else path


def check_page_limit(limit: int) -> int:
    """Return `limit` if a page may have so many entries, else raise InvalidInput."""
    if 1 <= limit <= MAX_PAGE:
        return limit
    raise InvalidInput(f"a page has 1 to {MAX_PAGE} artifacts, not {limit}")


def check_announced(size_bytes: int, part_count: int) -> None:
    """Raise unless an upload may be announced so. size_bytes: -1 when unknown; part_count: 0 when unknown."""
    if size_bytes < -1:
        raise InvalidInput(f"a file cannot have {size_bytes} bytes")
    if not 0 <= part_count <= MAX_PARTS:
        raise LimitExceeded(f"an upload has at most {MAX_PARTS:,} parts, not {part_count:,}")


def check_part_number(upload: Upload, number: int) -> None:
    """Raise InvalidInput unless the upload may have a part of this number."""
    most = upload.part_count or MAX_PARTS
    if not 1 <= number <= most:
        raise InvalidInput(f"parts of this upload are numbered 1 to {most:,}, not {number}")


def choose_parts(
    upload: Upload, stored: Sequence[UploadPart], wanted: Sequence[PartRef]
) -> tuple[UploadPart, ...]:
    """Return the parts that make the file, in order.

    stored: what has arrived, by number; wanted: what the client says belongs to it, empty for all. Raises
    Conflict with everything that keeps them from being one file: a part that is missing, named twice, out of
    order or of another digest, or a size that was announced otherwise.
    """
    named = tuple(wanted) or tuple(PartRef(part.number, part.digest) for part in stored)
    arrived = {part.number: part for part in stored}
    numbers = [part.number for part in named]
    problems = _order_problems(numbers, upload.part_count)
    for part in named:
        found = arrived.get(part.number)
        if found is None:
            problems.append(f"part {part.number} has not arrived")
        elif part.digest and part.digest != found.digest:
            problems.append(f"part {part.number} has the digest `{found.digest}`, not `{part.digest[:64]}`")
    size = sum(arrived[number].size_bytes for number in set(numbers) & set(arrived))
    if not problems and upload.size_bytes not in (-1, size):
        problems.append(f"the parts have {size:,} bytes together, but {upload.size_bytes:,} were announced")
    if problems:
        raise Conflict(
            f"the upload of `{upload.path}` cannot be completed: {'; '.join(problems[:5])}",
            problems=tuple(problems[:100]),
            upload_id=upload.upload_id,
        )
    return tuple(arrived[number] for number in numbers)


def _order_problems(numbers: Sequence[int], part_count: int) -> list[str]:
    if not numbers:
        return ["no part has arrived"]
    problems = [f"part {number} is named twice" for number, count in Counter(numbers).items() if count > 1]
    if not problems and list(numbers) != sorted(numbers):
        problems.append("the parts are not in the order of their numbers")
    last = part_count or max(numbers)
    gaps = sorted(set(range(1, last + 1)) - set(numbers))
    problems += [f"part {number} is missing" for number in gaps[:100]]
    if part_count and max(numbers) > part_count:
        problems.append(f"there is a part {max(numbers)}, but {part_count} were announced")
    return problems


def _segment_problem(segment: str) -> str:
    if not segment:
        return "a segment is empty"
    if segment in (".", ".."):
        return f"a segment is `{segment}`"
    if segment[-1] in ". ":
        return "a segment ends in a dot or a space"
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"a segment takes more than {MAX_SEGMENT_BYTES} bytes"
    # what some systems read as a dot or a separator, such as the full-width forms
    alike = unicodedata.normalize("NFKC", segment)
    if alike != segment and (alike.strip(". ") == "" or not _SEPARATORS.isdisjoint(alike)):
        return "a segment holds a character that some systems read as a dot or a separator"
    return ""


def _short(text: str) -> str:
    return text[:120].encode("unicode_escape").decode() if not text[:120].isprintable() else text[:120]
