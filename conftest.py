"""Rules that hold for every test: no network, and browser tests that do not go missing in silence."""

pytest_plugins = ["no_network", "chromium"]
