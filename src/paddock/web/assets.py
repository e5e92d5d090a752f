"""Static files: our own under the digest of them all, plotly.js under its version; both cached for ever."""

from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from paddock.kernel.digest import digest_chunks
from paddock.kernel.errors import NotFound
from paddock.wire import Answer, Call, FileAnswer

FOR_EVER = "public, max-age=31536000, immutable"
PLOTLY = "plotly.min.js"

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def static_path() -> str:
    """Return the address under which our own files of just this content lie."""
    return f"/static/{digest_chunks(path.read_bytes() for path in _files())[:12]}"


@cache
def plotly_path() -> str:
    """Return the address of plotly.js; it has the version of the installed `plotly` package."""
    return f"/static/plotly-{version('plotly')}/{PLOTLY}"


def get_static(call: Call) -> Answer | FileAnswer:
    """Answer with a static file, found among those there are and never by its path."""
    wanted = f"/static/{call.path['edition']}/{call.path['name']}"
    headers = {"Cache-Control": FOR_EVER}
    if wanted == plotly_path():
        return FileAnswer(plotly_file(), _TYPES[".js"], headers=headers)
    found = {f"{static_path()}/{path.name}": path for path in _files()}.get(wanted)
    if found is None:
        raise NotFound("there is no such static file", hint="reload the page")
    return Answer(found.read_bytes(), media_type=_TYPES[found.suffix], headers=headers)


def plotly_file() -> Path:
    """Return the path of plotly.js, without importing plotly."""
    spec = find_spec("plotly")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder) / "package_data" / PLOTLY
        if path.is_file():
            return path
    raise NotFound("plotly.js is not installed", hint="pip install plotly")


@cache
def _files() -> tuple[Path, ...]:
    return tuple(sorted(path for path in _FOLDER.iterdir() if path.suffix in _TYPES))
