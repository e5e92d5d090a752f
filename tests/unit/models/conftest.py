"""The small table of flights and the model fitted on it; no process is started here."""

from model_kit import package, package_folder, trained

__all__ = ["package", "package_folder", "trained"]
