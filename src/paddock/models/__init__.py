"""What a model is: signature, package, golden requests, and the worker process that answers with it.

A package is a manifest and the files it names by digest; equal content has an equal digest. A model
file is opened only inside a worker process, after its bytes were hashed and its types were allowed;
there is no pickle and no joblib anywhere. Rows become a matrix by the signature alone, so training,
gates and serving encode them in the same way.

This room never imports `paddock.metadata`. Names are loaded at first use: the worker process starts
without pyarrow and without pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.models.encode import Columns, Encoder, check_rows, encode_rows
    from paddock.models.environment import compare_packages, installed_packages
    from paddock.models.golden import Golden, GoldenColumn, decode_golden, encode_golden
    from paddock.models.manifest import parse_manifest
    from paddock.models.package import (
        PackageObjects,
        build_package,
        load_manifest,
        load_package,
        materialize_package,
        save_package,
    )
    from paddock.models.records import (
        Column,
        GoldenSummary,
        Output,
        Package,
        PackageManifest,
        RowFault,
        SandboxLevel,
        Signature,
        VerificationReport,
    )
    from paddock.models.signature import infer_signature
    from paddock.models.verify import verify_package, verify_stored_package, verify_worker
    from paddock.models.worker.async_client import AsyncModelWorker
    from paddock.models.worker.client import ModelWorker
    from paddock.models.worker.pool import WorkerPool

_HOMES = {
    "encode": ("Columns", "Encoder", "check_rows", "encode_rows"),
    "environment": ("compare_packages", "installed_packages"),
    "golden": ("Golden", "GoldenColumn", "decode_golden", "encode_golden"),
    "manifest": ("parse_manifest",),
    "package": (
        "PackageObjects",
        "build_package",
        "load_manifest",
        "load_package",
        "materialize_package",
        "save_package",
    ),
    "records": (
        "Column",
        "GoldenSummary",
        "Output",
        "Package",
        "PackageManifest",
        "RowFault",
        "SandboxLevel",
        "Signature",
        "VerificationReport",
    ),
    "signature": ("infer_signature",),
    "verify": ("verify_package", "verify_stored_package", "verify_worker"),
    "worker.async_client": ("AsyncModelWorker",),
    "worker.client": ("ModelWorker",),
    "worker.pool": ("WorkerPool",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncModelWorker",
    "Column",
    "Columns",
    "Encoder",
    "Golden",
    "GoldenColumn",
    "GoldenSummary",
    "ModelWorker",
    "Output",
    "Package",
    "PackageManifest",
    "PackageObjects",
    "RowFault",
    "SandboxLevel",
    "Signature",
    "VerificationReport",
    "WorkerPool",
    "build_package",
    "check_rows",
    "compare_packages",
    "decode_golden",
    "encode_golden",
    "encode_rows",
    "infer_signature",
    "installed_packages",
    "load_manifest",
    "load_package",
    "materialize_package",
    "parse_manifest",
    "save_package",
    "verify_package",
    "verify_stored_package",
    "verify_worker",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
