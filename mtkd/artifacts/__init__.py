"""What stages leave on disk: named by what went into it, whole or absent."""

from mtkd.artifacts.fingerprint import file_sha256, fingerprint
from mtkd.artifacts.manifest import (
    Manifest,
    environment,
    manifest_path,
    peak_memory_mb,
    read_manifest,
)
from mtkd.artifacts.publish import publish, recover, write_file

__all__ = [
    "Manifest",
    "environment",
    "file_sha256",
    "fingerprint",
    "manifest_path",
    "peak_memory_mb",
    "publish",
    "read_manifest",
    "recover",
    "write_file",
]
