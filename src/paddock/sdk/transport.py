"""HTTP to a server: requests that are repeated until they are answered, and errors as they were raised there.

A request is sent again when the connection fails and when the server answers 503 with Retry-After.
That is safe because a write carries an idempotency key that stays the same from try to try.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from paddock.kernel.clock import monotonic_s
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import InvalidInput, InvalidSettings, NotFound, PaddockError, Unavailable
from paddock.kernel.ids import new_id
from paddock.sdk.problems import error_of
from paddock.wire import PROBLEM_TYPE, structs

T = TypeVar("T")

Source = bytes | Path

_JSON = "application/json"
_BYTES = "application/octet-stream"
_CONNECT_S = 5.0
_TIMEOUT = httpx.Timeout(60.0, connect=_CONNECT_S)
# the server may work 600 s on an upload, and on a gate
_SLOW_TIMEOUT = httpx.Timeout(60.0, connect=_CONNECT_S, read=660.0)
_CHUNK_BYTES = 1_048_576
_LOST = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
_HEADER_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_HINT = "PADDOCK_URI names the server, such as http://127.0.0.1:8321"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try: greet_s for the first contact, total_s for every request after it.

    Waits between tries double from first_wait_s up to most_wait_s. answer_s: for the answer to one of them.
    """

    total_s: float = 30.0
    greet_s: float = 1.0
    answer_s: float = 60.0
    first_wait_s: float = 0.1
    most_wait_s: float = 2.0


_PATIENCE = Patience()
LITTLE_PATIENCE = Patience(total_s=1.0, answer_s=15.0)


class Transport:
    """Requests to one server. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        *,
        project: str = "",
        patience: Patience = _PATIENCE,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        """project: acted in, empty for the server's own. wire: carries the bytes, a network when None."""
        self.url = check_url(url)
        self.project = project
        self._patience = patience
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Paddock-Project": project} if project else {},
            timeout=_TIMEOUT,
            transport=wire,
            trust_env=False,  # no proxy and no password file stands between this and the named server
        )

    def greet(self) -> None:
        """Raise Unavailable when nothing answers at the address, InvalidSettings when it is no Paddock."""
        answer = self._repeat(lambda: self._client.get("/health"), self._patience.greet_s)
        if self._checked(answer).content != b"OK":
            raise self._stranger(answer)

    def get(self, path: str, kind: type[T], query: Mapping[str, str] | None = None) -> T:
        """Return the resource at `path`."""
        return self._decode(self._send(lambda: self._client.get(path, params=query)), kind)

    def post(
        self,
        path: str,
        request: structs.Request,
        kind: type[T],
        *,
        key: str = "",
        is_slow: bool = False,
        patience: Patience | None = None,
    ) -> T:
        """Send `request` under `key`, or under a new one, and return the answer; is_slow: to a slow route.

        patience: for this request, None for that of the transport.
        """
        try:
            body = msgspec.json.encode(request)
        except UnicodeEncodeError as error:
            raise InvalidInput(f"the request holds text that is not Unicode: {error.reason}") from error
        headers = {"Content-Type": _JSON, "Idempotency-Key": header_key(key)}
        patience = patience or self._patience
        timeout = _SLOW_TIMEOUT if is_slow else httpx.Timeout(patience.answer_s, connect=_CONNECT_S)

        def attempt() -> httpx.Response:
            return self._client.post(path, content=body, headers=headers, timeout=timeout)

        return self._decode(self._send(attempt, patience), kind)

    def upload(
        self,
        method: str,
        path: str,
        source: Source,
        kind: type[T],
        query: Mapping[str, str] | None = None,
        *,
        key: str = "",
        patience: Patience | None = None,
    ) -> T:
        """Stream bytes, or a local file, to `path` under `key`, or under a new one; return the answer."""
        headers = {"Content-Type": _BYTES, "Idempotency-Key": header_key(key)}

        def attempt() -> httpx.Response:
            if isinstance(source, bytes):
                return self._client.request(
                    method, path, params=query, content=source, headers=headers, timeout=_SLOW_TIMEOUT
                )
            with source.open("rb") as file:
                return self._client.request(
                    method, path, params=query, content=file, headers=headers, timeout=_SLOW_TIMEOUT
                )

        if isinstance(source, Path):
            _check_file(source)
        return self._decode(self._send(attempt, patience), kind)

    def download(self, path: str, target: Path) -> None:
        """Write the bytes at `path` into the file `target`; what an earlier try wrote is replaced."""

        def attempt() -> httpx.Response:
            with self._client.stream("GET", path) as answer:
                if answer.status_code != 200:
                    answer.read()
                    return answer
                with target.open("wb") as file:
                    for chunk in answer.iter_bytes(_CHUNK_BYTES):
                        file.write(chunk)
            return answer

        self._send(attempt)

    def close(self) -> None:
        self._client.close()

    def _send(
        self, attempt: Callable[[], httpx.Response], patience: Patience | None = None
    ) -> httpx.Response:
        return self._checked(self._repeat(attempt, (patience or self._patience).total_s))

    def _repeat(self, attempt: Callable[[], httpx.Response], total_s: float) -> httpx.Response:
        """Return the first answer that is not a request to come again, for as long as there is patience."""
        give_up_at = monotonic_s() + total_s
        wait_s = self._patience.first_wait_s
        while True:
            if self._client.is_closed:
                raise Unavailable(f"the connection to `{self.url}` was let go of")
            asked_s = 0.0
            try:
                answer = attempt()
            except _LOST as error:
                if monotonic_s() + wait_s > give_up_at:
                    raise self._unreachable(error) from error
            else:
                asked_s = _retry_after_s(answer)
                if asked_s < 0 or monotonic_s() + max(wait_s, asked_s) > give_up_at:
                    return answer
            time.sleep(max(wait_s, asked_s))
            wait_s = min(wait_s * 2, self._patience.most_wait_s)

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        if answer.headers.get("Content-Type", "").startswith(PROBLEM_TYPE):
            raise error_of(self._decode(answer, structs.Problem))
        raise self._stranger(answer)

    def _decode(self, answer: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._stranger(answer) from error

    def _unreachable(self, error: httpx.TransportError) -> Unavailable:
        reason = str(error).rstrip(".") or type(error).__name__
        return Unavailable(f"the server at `{self.url}` does not answer: {reason}", hint=_HINT)

    def _stranger(self, answer: httpx.Response) -> PaddockError:
        """Return the error for an answer no Paddock server gives; a gateway's 5xx may pass by itself."""
        words = f"`{answer.request.url}` answers {answer.status_code}, but not as a Paddock server does"
        if answer.status_code >= 500:
            return Unavailable(words, hint=_HINT)
        return InvalidSettings(words, hint=_HINT)


def check_url(url: str) -> str:
    """Return `url` if it can be the address of a server, without a slash at its end.

    >>> check_url("http://127.0.0.1:8321/")
    'http://127.0.0.1:8321'
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidSettings(f"`{url[:200]}` is not an address: {error}", hint=_HINT) from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise InvalidSettings(f"`{url[:200]}` is not the address of a server", hint=_HINT)
    if parsed.userinfo:
        raise InvalidSettings("the address of a server holds no user name and no password", hint=_HINT)
    return url.rstrip("/")


def address(*segments: str) -> str:
    """Return the path under `/api/v1` of these segments; a `/` inside of one separates further segments.

    >>> address("runs", "0192", "artifacts", "plots/roc 1.svg")
    '/api/v1/runs/0192/artifacts/plots/roc%201.svg'
    """
    parts = "/".join(segments).split("/")
    for part in parts:
        if part in ("", ".", ".."):
            raise InvalidInput(f"`{'/'.join(segments)[:80]}` has an empty segment, or a segment `.` or `..`")
    try:
        return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)
    except UnicodeEncodeError as error:
        raise InvalidInput("a name holds text that is not Unicode") from error


def header_key(key: str) -> str:
    """Return `key` as a header may carry it: a new one for an empty key, a digest for an odd one.

    >>> header_key("train-7"), len(header_key("train of May")), len(header_key(""))
    ('train-7', 64, 32)
    """
    if not key:
        return new_id()
    return key if _HEADER_KEY.fullmatch(key) else digest_bytes(key.encode(errors="replace"))


def _retry_after_s(answer: httpx.Response) -> float:
    """Return the seconds after which a 503 wants to be asked again, -1 for every other answer."""
    asked = answer.headers.get("Retry-After", "")
    if answer.status_code != 503 or not (asked.isascii() and asked.isdecimal()):
        return -1.0
    return float(asked[:9])


def _check_file(path: Path) -> None:
    if not path.exists():
        raise NotFound(f"there is no file `{path}`")
    if not path.is_file():
        raise InvalidInput(f"`{path}` is not a regular file")
