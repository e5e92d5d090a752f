"""Templates into HTML: one environment, escaped by default."""

from datetime import datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from paddock.web import formats
from paddock.web.assets import static_path
from paddock.web.page import NAVIGATION, Page


def render_page(page: Page, *, project: str, now: datetime, path: str = "") -> bytes:
    """Return the page as HTML.

    now: what times are relative to; path: the address of the page, for the links of its tables.
    """
    template = environment().get_template(page.template)
    html = template.render(page=page, project=project, now=now, path=path, **page.context)
    return html.encode()


@cache
def environment() -> Environment:
    """Return the environment with the filters that templates use."""
    made = Environment(
        loader=PackageLoader("paddock.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        exact=formats.format_exact,
        when=formats.format_when,
        day=formats.format_date,
        score=formats.format_score,
        share=formats.format_share,
        number=formats.format_number,
        size=formats.format_bytes,
        short=formats.short,
        cut=formats.cut,
        marked=formats.mark_up,
        sentence=formats.as_sentence,
    )
    made.globals.update(static=static_path(), navigation=NAVIGATION, path_of=formats.path_of)
    return made
