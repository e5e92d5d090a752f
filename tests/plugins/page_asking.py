"""Asks the pages of an app for addresses, as the server does, without a server."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote, urlencode, urlsplit

from paddock.app import App
from paddock.kernel.errors import NotFound
from paddock.server.guard import read_query
from paddock.web import routes
from paddock.wire import Answer, AnyAnswer, Call, StreamAnswer, decode_form

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass
class Pages:
    """The pages of one store."""

    app: App

    def ask(self, address: str, headers: Mapping[str, str] = BROWSER) -> Answer:
        """Return the answer to a GET of `address`, refusing query parameters that are not declared."""
        return self._ask("GET", address, headers)

    def submit(self, address: str, form: Sequence[tuple[str, str]]) -> Answer:
        """Return the answer to a form that a page of ours sends."""
        return self._ask("POST", address, BROWSER, urlencode(form).encode())

    def _ask(self, method: str, address: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        parts = urlsplit(address)
        # fixed segments come before parameters, as in the server's router
        for spec in sorted(routes(self.app), key=lambda spec: spec.path.replace("{", "~")):
            pattern = re.sub(r"\{([a-z_]+)\}", r"(?P<\1>[^/]+)", spec.path)
            found = re.fullmatch(pattern, parts.path)
            if found and spec.method == method:
                query = read_query(parts.query.encode(), spec.query, 64, spec.lists)
                path = {name: unquote(value) for name, value in found.groupdict().items()}
                decoded = decode_form(body, spec.request) if spec.request else None
                call = Call(path, query, self.app.actor, "r" * 32, body=decoded, headers=headers)
                return _whole(spec.handler(call))
        raise NotFound(f"no route for {address}")

    def html(self, address: str) -> str:
        answer = self.ask(address)
        assert answer.status == 200, answer.body.decode()
        assert answer.media_type == "text/html; charset=utf-8"
        return answer.body.decode()

    def file(self, address: str) -> AnyAnswer:
        """Return a static file."""
        _, _, edition, name = address.split("/")
        spec = next(spec for spec in routes(self.app) if spec.path.startswith("/static"))
        return spec.handler(Call({"edition": edition, "name": name}, {}, self.app.actor, "r" * 32))


def _whole(answer: AnyAnswer) -> Answer:
    """Return an answer in one piece, also where it is sent while it is made."""
    if isinstance(answer, StreamAnswer):
        chunks = list(answer.chunks)
        assert all(chunks), "an empty chunk would end the answer"
        return Answer(b"".join(chunks), answer.status, answer.media_type, answer.headers)
    assert isinstance(answer, Answer)
    return answer


class Outline(HTMLParser):
    """What the tests look at of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def links(self) -> set[str]:
        return {str(link["href"]) for link in self.all("a") if link.get("href")}


def text_of(html: str) -> str:
    """Return the words of a page as they are read."""
    inline = re.sub(r"</?(a|b|code|span|time)\b[^>]*>", "", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", inline)).split())
