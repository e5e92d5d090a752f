"""Write docs/reference/http.md anew: every route, its permission and its JSON, from the routes themselves.

.venv/bin/python scripts/http_reference.py
"""

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from paddock.app import open_app
from paddock.kernel.settings import resolve_settings
from paddock.server import all_specs
from paddock.wire import BodyKind, RouteSpec

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "http.md"
HEAD = """# HTTP

Every route of `paddock server`, written by `make reference` from the routes themselves. The same for
programs, with the schema of every JSON body: `GET /api/v1/openapi.json`.

- The server listens on loopback only and answers to the names in `PADDOCK_ALLOWED_HOSTS`; any other Host
  is 421.
- A JSON body has the type `application/json`, a file `application/octet-stream`, `text/csv` or one of
  Parquet's and Arrow's; forms are not taken. A browser may change things from pages of this server only.
- Errors are `application/problem+json` with `code`, `detail`, `hint` and `request_id`; see
  [errors](errors.md). Who prefers `text/html`, as browsers do, gets them as a page outside of `/api`.
- `Idempotency-Key` on a POST or PUT: the same key with the same request is done once; with another request
  it is 422.
- `Paddock-Project` chooses the project; without it the server's own is meant.
- A list takes `limit` (1 to 1000) and `cursor`, the `next_cursor` of the page before, which is empty on the
  last.
- NaN and the infinities are the words `NaN`, `Infinity` and `-Infinity`. Times are RFC 3339 with a zone.
"""


def main() -> None:
    PAGE.write_text(describe_routes())


def describe_routes() -> str:
    """Return the whole page."""
    with tempfile.TemporaryDirectory() as folder:
        settings = resolve_settings({"store": folder}, {}, {})
        with closing(open_app(settings)) as app:
            specs = all_specs(app)
    return HEAD + "".join(_describe(spec) for spec in _in_order(specs))


def _in_order(specs: Sequence[RouteSpec]) -> list[RouteSpec]:
    return sorted(specs, key=lambda spec: (spec.path.startswith("/api/"), spec.path, spec.method))


def _describe(spec: RouteSpec) -> str:
    lines = [f"\n## `{spec.method} {spec.path}`\n", f"{spec.summary}. Permission `{spec.permission.value}`."]
    if spec.request is not None:
        lines.append(f"Takes `{spec.request.__name__}`.")
    if spec.body is BodyKind.FILE:
        lines.append("Takes a file as its body.")
    if spec.response is not None:
        lines.append(f"Answers {spec.status} with `{spec.response.__name__}`.")
    text = "\n".join([lines[0], " ".join(lines[1:])])
    parameters = "".join(f"- `{name}`: {words}\n" for name, words in spec.query.items())
    return f"{text}\n" + (f"\n{parameters}" if parameters else "")


if __name__ == "__main__":
    main()
