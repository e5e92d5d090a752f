"""Both object backends keep the promises of the port."""

from pathlib import Path

import pytest

from paddock.objects import FilesystemBackend, MemoryBackend
from paddock.testing import ObjectBackendConformance


class TestMemoryBackend(ObjectBackendConformance):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()


class TestFilesystemBackend(ObjectBackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> FilesystemBackend:
        return FilesystemBackend(tmp_path / "objects")
