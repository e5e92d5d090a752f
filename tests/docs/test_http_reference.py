"""The pages of routes say what is served."""

from pathlib import Path

import pytest
from http_reference import describe_routes

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"


@pytest.mark.parametrize("page", ["http.md", "mlflow.md"])
def test_page_of_routes_is_current(page):
    """Each route is described once, with its permission; `scripts/http_reference.py` writes them anew."""
    assert (REFERENCE / page).read_text() == describe_routes()[page]
