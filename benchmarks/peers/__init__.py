"""What benchmarks beside another tool need: its server, one client for both, and the same rows in both.

`rows`, `bulk`, `fill_mlflow` and `mlflow_client` run in the other tool's environment too: there is nothing of
ours in it but these files.
"""
