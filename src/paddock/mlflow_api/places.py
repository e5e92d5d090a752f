"""Addresses of files as MLflow's clients write them, and whose files they are.

A client knows the files of a run by where its experiment keeps them, as in `3/<run id>/artifacts/plot.png`,
and those of a logged model as `3/models/<model id>/artifacts/MLmodel`. Whatever else it names belongs to
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from paddock.app import App
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.kernel.refusals import BadPath
from paddock.wire import Call

if TYPE_CHECKING:
    from paddock.metadata import Reader
    from paddock.tracking import ArtifactRoot, Owner

OWN_SCHEME = "mlflow-artifacts"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"

_ADDRESS = re.compile(
    r"(?P<root>(?P<above>(?:[^/]+/)+?)(?P<identity>[^/]+)/artifacts)(?:/(?P<path>.*))?", re.DOTALL
)
# where nothing lies but files of runs and logged models
_OURS = re.compile(r"[0-9]+/(?:models/)?", re.ASCII)
_MODELS = "models/"


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder. path: inside of its owner; empty for everything the owner has."""

    owner: Owner
    path: str


def find_place(app: App, address: str) -> Place:
    """Return what an address below the proxy names, or raise NotFound for a run or model that is not there.

    address: decoded once; a `/` at its end is passed over. Raises BadPath for a name that is not allowed.
    """
    from paddock.tracking import Owner

    whole = address.removesuffix("/")
    match = _ADDRESS.fullmatch(whole)
    if match is None:
        return Place(Owner(""), check_name(whole))
    owner, root = _find_owner(app, match["above"], match["identity"])
    if root is not None and path_of(root.uri) == match["root"]:
        return Place(owner, check_name(match["path"] or ""))
    if _OURS.fullmatch(match["above"]):
        raise NotFound(f"no run and no logged model has its files at '{match['root'][:200]}'")
    return Place(Owner(""), check_name(whole))


def find_place_of_uri(app: App, uri: str) -> Place:
    """Return what the source of a model version names, InvalidInput for what this server does not keep."""
    from paddock.tracking import owner_of_model, owner_of_run

    scheme, _, rest = uri.partition(":/")
    if scheme == "models" and "/" not in rest:
        return Place(owner_of_model(app.logged_models.get(rest).model_id), "")
    if scheme == "runs":
        run_id, _, path = rest.partition("/")
        run_root(app, run_id)
        return Place(owner_of_run(run_id), path)
    if scheme == OWN_SCHEME:
        return find_place(app, path_of(uri))
    raise InvalidInput(f"the files at '{uri[:200]}' are not kept by this server")


def run_root(app: App, run_id: str) -> ArtifactRoot:
    """Return where a run has its files, or raise NotFound."""
    from paddock.tracking import find_run_root

    found = app.metadata.read(lambda reader: find_run_root(reader, app.actor.project_id, run_id))
    if found is None:
        raise NotFound(f"Run with id={run_id[:64]} not found")
    return found


def check_name(path: str) -> str:
    """Return `path` if it may name a file or a folder, however often somebody decodes it once more.

    Empty is everything the owner has. A `%` is an ordinary letter.

    >>> check_name("plots/50%.png"), check_name("rate 5%20 up")
    ('plots/50%.png', 'rate 5%20 up')
    >>> check_name("a/%2e%2e/x")
    Traceback (most recent call last):
    ...
    paddock.kernel.refusals.BadPath: `a/%2e%2e/x` cannot name an artifact: decoded again, a segment is `..`
    """
    from paddock.tracking import find_path_problem

    known, words = path, ""
    while known:
        problem = find_path_problem(known)
        if problem:
            raise BadPath(f"`{path[:120]}` cannot name an artifact: {words}{problem}")
        plain = _decode(known)
        if plain == known:
            break
        known, words = plain, "decoded again, "
    return path


def path_of(uri: str) -> str:
    """Return the path of an address of this server, empty for an address elsewhere.

    >>> path_of("mlflow-artifacts:/3/ab/artifacts"), path_of("s3://bucket/3/ab/artifacts")
    ('3/ab/artifacts', '')
    """
    parts = urlsplit(uri)
    return parts.path.strip("/") if parts.scheme == OWN_SCHEME else ""


def url_of(call: Call, path: str) -> str:
    """Return the address of a path of this server, under the name by which the client has called it.

    path: decoded; the name has passed the guard.
    """
    return f"http://{call.headers.get('host', '')}{quote(path)}"


def headers_for(app: App) -> dict[str, str]:
    """Return what a client must send to an address of `url_of`, which it asks without its own headers."""
    project = app.actor.project_id
    return {} if project == DEFAULT_PROJECT else {"X-MLFLOW-WORKSPACE": project}


def _find_owner(app: App, above: str, identity: str) -> tuple[Owner, ArtifactRoot | None]:
    from paddock.tracking import find_model_root, find_run_root, owner_of_model, owner_of_run

    def query(reader: Reader) -> ArtifactRoot | None:
        return find(reader, app.actor.project_id, identity)

    is_model = above.endswith(f"/{_MODELS}")
    find = find_model_root if is_model else find_run_root
    owner = owner_of_model(identity) if is_model else owner_of_run(identity)
    return owner, app.metadata.read(query)


def _decode(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise BadPath(f"`{text[:120]}` cannot name an artifact: decoded again, it is not UTF-8") from error
