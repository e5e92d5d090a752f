"""Rules that hold for every test: no network, and tests that do not go missing in silence."""

pytest_plugins = ["no_network", "needs"]
