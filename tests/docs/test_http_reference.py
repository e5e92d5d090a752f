"""The page of routes says what is served."""

from pathlib import Path

from http_reference import describe_routes

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "http.md"


def test_page_of_routes_is_current():
    """Each route is described once, with its permission; `scripts/http_reference.py` writes the page anew."""
    assert PAGE.read_text() == describe_routes()
