"""The one tree of errors.

PaddockError
├── InvalidInput                 the request itself is wrong; nothing was changed
│   ├── InvalidSettings          paddock.toml, environment or flags
│   ├── InvalidRows              rows that do not fit a signature or a schema
│   ├── UnreadableFile           empty, truncated or not of the stated format
│   ├── DigestMismatch           bytes that do not have the digest they were announced with
│   └── LimitExceeded            too large, too deep, too many
├── NotFound                     nothing of that name
├── Conflict                     true of the input alone, but not beside what is stored
│   ├── AlreadyExists
│   ├── IdempotencyConflict      same key, other content
│   ├── PromotionRefused
│   ├── VerificationFailed       golden requests are answered differently
│   └── StoreInUse               another process holds what this one needs
├── Forbidden                    the caller may not
├── Unavailable                  try again later; nothing was changed
│   ├── QueueFull
│   ├── WorkerFailed             a model worker died or did not answer
│   └── StorageFull
├── IntegrityError               stored bytes are not what was written
└── StoreTooNew                  written by a newer Paddock
"""

from collections.abc import Mapping
from typing import ClassVar

Detail = str | int | float | bool | None


class PaddockError(Exception):
    """An error meant for a person: what, which one, what is true instead.

    message: one sentence without a final period; hint: the next command, or empty.
    details: machine-readable facts, shown by `--json` and in problem responses.
    problems: several faults of one input, reported together.
    """

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, hint: str = "", problems: tuple[str, ...] = (), **details: Detail
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = problems
        self.details: Mapping[str, Detail] = details


class InvalidInput(PaddockError):
    code = "invalid_input"
    http_status = 422
    exit_code = 2


class InvalidSettings(InvalidInput):
    code = "invalid_settings"


class InvalidRows(InvalidInput):
    code = "invalid_rows"


class UnreadableFile(InvalidInput):
    code = "unreadable_file"


class DigestMismatch(InvalidInput):
    code = "digest_mismatch"


class LimitExceeded(InvalidInput):
    code = "limit_exceeded"
    http_status = 413


class NotFound(PaddockError):
    code = "not_found"
    http_status = 404
    exit_code = 3


class Conflict(PaddockError):
    code = "conflict"
    http_status = 409
    exit_code = 4


class AlreadyExists(Conflict):
    code = "already_exists"


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"
    http_status = 422


class PromotionRefused(Conflict):
    code = "promotion_refused"


class VerificationFailed(Conflict):
    code = "verification_failed"


class StoreInUse(Conflict):
    code = "store_in_use"


class Forbidden(PaddockError):
    code = "forbidden"
    http_status = 403
    exit_code = 5


class Unavailable(PaddockError):
    code = "unavailable"
    http_status = 503
    exit_code = 6


class QueueFull(Unavailable):
    code = "queue_full"


class WorkerFailed(Unavailable):
    code = "worker_failed"


class StorageFull(Unavailable):
    code = "storage_full"
    http_status = 507


class IntegrityError(PaddockError):
    code = "integrity_error"
    exit_code = 7


class StoreTooNew(PaddockError):
    code = "store_too_new"
    exit_code = 8
