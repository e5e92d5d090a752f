"""Write docs/reference/http.md and mlflow.md anew: every route and its permission, from the code itself.

.venv/bin/python scripts/http_reference.py
"""

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from paddock.app import open_app
from paddock.kernel.settings import resolve_settings
from paddock.mlflow_api import is_mlflow_path
from paddock.server import all_specs
from paddock.wire import BodyKind, RouteSpec

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
HEAD = """# HTTP

Every route of `paddock server`, written by `make reference` from the routes themselves. The same for
programs, with the schema of every JSON body: `GET /api/v1/openapi.json`.

- The server listens on loopback only and answers to the names in `PADDOCK_ALLOWED_HOSTS`; any other Host
  is 421.
- A JSON body has the type `application/json`, a file `application/octet-stream`, `text/csv` or one of
  Parquet's and Arrow's. A browser may change things from pages of this server only, and the form of a page
  is taken only where the browser says that this server's page sends it.
- Errors are `application/problem+json` with `code`, `detail`, `hint` and `request_id`; see
  [errors](errors.md). Who prefers `text/html`, as browsers do, gets them as a page outside of `/api`.
- `Idempotency-Key` on a POST or PUT: the same key with the same request is done once; with another request
  it is 422.
- `Paddock-Project` chooses the project; without it the server's own is meant.
- A list takes `limit` (1 to 1000) and `cursor`, the `next_cursor` of the page before, which is empty on the
  last.
- NaN and the infinities are the words `NaN`, `Infinity` and `-Infinity`. Times are RFC 3339 with a zone.
"""


MLFLOW_HEAD = """# MLflow's clients

`paddock server` answers the clients of MLflow as they are: set `MLFLOW_TRACKING_URI=http://127.0.0.1:8321`,
or what the server names when it is ready, and nothing else. Both faces see the same runs, experiments and
models. It speaks with MLflow 3.17.2, and `tests/mlflow_compat` runs the real client of that release.

- Every path below stands under `/ajax-api` as well as under `/api`.
- Bodies are proto-JSON: whole numbers may be text, NaN and the infinities are words, null is an absent
  field, and a field that is not known is skipped. `run_uuid` says the same as `run_id`.
- Errors are `{"error_code": ..., "message": ...}` with MLflow's codes; the message names the field and its
  place.
- A workspace (header `X-MLFLOW-WORKSPACE`) is a project, and is there as soon as it has an experiment.
- Experiment `0` is called `Default` and is made by the first call.
- A batch holds at most 1,000 metrics, 100 params and 100 tags, 1,000 in all. Keys have at most 250
  characters, names of experiments 500. Values of params are cut at 6,000 characters and of tags at 8,000;
  tags of experiments have at most 20,000. A page of a search has at most 50,000 rows.
- A param keeps its first value; the same value again is fine, another one is refused with its whole batch.
- A metric point that is there already is not stored again. Times are milliseconds before the year 10000.
- Models that clients register stand beside those with a package: see [models of MLflow](model-registry.md).
- Files of a run are kept by the server unless the experiment names a place of its own. The server never
  opens an address that a client sends.
- Names of files are relative, composed (NFC) and without `\\`, `:`, `;` and control characters; no segment is
  empty, `.` or `..`, or ends in a dot or a space. A `%` is a letter, unless what follows, decoded once more,
  makes a name that is not allowed. A name has at most 1,024 bytes, 255 in a segment.
- An upload in parts and a presigned address go to this server under the name by which the client called it.
- Webhooks are shown with the events that MLflow has a word for; others of the same webhook stay as they are.

Where it does more than MLflow: filters know `OR`, `NOT` and parentheses, see [search](search.md); pages go
on where they ended although runs are added meanwhile; a refused batch stores nothing at all. Where it does
less: workspaces have no place of their own for files and are not deleted, and traces, scorers, evaluation
datasets and the gateway are not served (`ENDPOINT_NOT_FOUND`).

| Route | Does | Permission |
| --- | --- | --- |
"""


def main() -> None:
    for name, text in describe_routes().items():
        (REFERENCE / name).write_text(text)


def describe_routes() -> dict[str, str]:
    """Return each page by its file name."""
    with tempfile.TemporaryDirectory() as folder:
        settings = resolve_settings({"store": folder}, {}, {})
        with closing(open_app(settings)) as app:
            specs = _in_order(all_specs(app))
    own = [spec for spec in specs if not is_mlflow_path(spec.path.encode())]
    rows = [
        _describe_row(spec) for spec in specs if spec not in own and not spec.path.startswith("/ajax-api/")
    ]
    return {"http.md": HEAD + "".join(map(_describe, own)), "mlflow.md": MLFLOW_HEAD + "".join(rows)}


def _describe_row(spec: RouteSpec) -> str:
    return f"| `{spec.method} {spec.path}` | {spec.summary} | `{spec.permission.value}` |\n"


def _in_order(specs: Sequence[RouteSpec]) -> list[RouteSpec]:
    return sorted(specs, key=lambda spec: (spec.path.startswith("/api/"), spec.path, spec.method))


def _describe(spec: RouteSpec) -> str:
    lines = [f"\n## `{spec.method} {spec.path}`\n", f"{spec.summary}. Permission `{spec.permission.value}`."]
    if spec.request is not None:
        lines.append(f"Takes `{spec.request.__name__}`.")
    if spec.body is BodyKind.FORM:
        lines[-1] = f"Takes `{spec.request.__name__}` as a form." if spec.request else "Takes a form."
    if spec.body is BodyKind.FILE:
        lines.append("Takes a file as its body.")
    if spec.response is not None:
        lines.append(f"Answers {spec.status} with `{spec.response.__name__}`.")
    text = "\n".join([lines[0], " ".join(lines[1:])])
    parameters = "".join(f"- `{name}`: {words}\n" for name, words in spec.query.items())
    return f"{text}\n" + (f"\n{parameters}" if parameters else "")


if __name__ == "__main__":
    main()
