"""Conformance kits: what an adapter must do to stand behind one of Paddock's ports.

A test module subclasses a kit and gives it the fixture its docstring names. pytest is needed here and
nowhere else in the package.
"""

from paddock.testing.metadata import MetadataConformance
from paddock.testing.objects import ObjectBackendConformance

__all__ = ["MetadataConformance", "ObjectBackendConformance"]
