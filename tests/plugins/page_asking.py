"""Asks the pages of an app for addresses, as the server does, without a server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from paddock.app import App
from paddock.kernel.errors import NotFound
from paddock.web import routes
from paddock.wire import Answer, Call, FileAnswer

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass
class Pages:
    """The pages of one store."""

    app: App

    def ask(self, address: str, headers: Mapping[str, str] = BROWSER) -> Answer:
        """Return the answer to a GET of `address`, refusing query parameters that are not declared."""
        parts = urlsplit(address)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        # fixed segments come before parameters, as in the server's router
        for spec in sorted(routes(self.app), key=lambda spec: spec.path.replace("{", "~")):
            pattern = re.sub(r"\{([a-z_]+)\}", r"(?P<\1>[^/]+)", spec.path)
            found = re.fullmatch(pattern, parts.path)
            if found:
                assert set(query) <= set(spec.query), (address, spec.query)
                path = {name: unquote(value) for name, value in found.groupdict().items()}
                answer = spec.handler(Call(path, query, self.app.actor, "r" * 32, headers=headers))
                assert isinstance(answer, Answer)
                return answer
        raise NotFound(f"no route for {address}")

    def html(self, address: str) -> str:
        answer = self.ask(address)
        assert answer.status == 200, answer.body.decode()
        assert answer.media_type == "text/html; charset=utf-8"
        return answer.body.decode()

    def file(self, address: str) -> Answer | FileAnswer:
        """Return a static file."""
        _, _, edition, name = address.split("/")
        spec = next(spec for spec in routes(self.app) if spec.path.startswith("/static"))
        return spec.handler(Call({"edition": edition, "name": name}, {}, self.app.actor, "r" * 32))
