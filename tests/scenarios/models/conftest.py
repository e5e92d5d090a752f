"""The small table of flights, the model fitted on it, and its worker process."""

from model_kit import package, package_folder, trained, worker

__all__ = ["package", "package_folder", "trained", "worker"]
