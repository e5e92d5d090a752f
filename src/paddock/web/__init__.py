"""The pages: each answers one question in its first screen, with the evidence below.

- A view asks services and returns a `Page`; it holds no SQL and no statistics.
- Everything is rendered on the server and works without scripts, but for the charts of a monitor.
- Whatever a user wrote is escaped; no inline script, no request to another site.
- Every table can be downloaded as CSV and JSON, and every view is an address.
"""

from paddock.web.answering import accepts_html, answer_error
from paddock.web.routes import routes

__all__ = ["accepts_html", "answer_error", "routes"]
