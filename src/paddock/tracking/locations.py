"""The addresses of files as clients are told them. Texts; the server never opens one."""


def artifact_root(experiment_id: str, location: str) -> str:
    """Return where an experiment keeps its files. location: its own, or empty for the server's.

    >>> artifact_root("3", ""), artifact_root("3", "s3://bucket/runs/")
    ('mlflow-artifacts:/3', 's3://bucket/runs')
    """
    return location.rstrip("/") or f"mlflow-artifacts:/{experiment_id}"
