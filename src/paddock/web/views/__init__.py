"""One module for each page: from what services return to what the page shows."""
