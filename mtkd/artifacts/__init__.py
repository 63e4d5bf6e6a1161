"""What stages leave on disk: named by what went into it, whole or absent, checked before use."""

from mtkd.artifacts.files import check_files, damage, record_files
from mtkd.artifacts.fingerprint import file_sha256, fingerprint
from mtkd.artifacts.hashes import (
    HASHES,
    check_remembered,
    checked_sha256,
    remembered_sha256,
    remembering,
)
from mtkd.artifacts.lock import LOCK, held
from mtkd.artifacts.manifest import (
    Manifest,
    environment,
    manifest_path,
    peak_memory_mb,
    read_manifest,
)
from mtkd.artifacts.publish import (
    clear_old,
    flush_all,
    make_folder,
    publish,
    recover,
    refuse_links,
    remove,
    write_file,
)

__all__ = [
    "HASHES",
    "LOCK",
    "Manifest",
    "check_files",
    "check_remembered",
    "checked_sha256",
    "clear_old",
    "damage",
    "environment",
    "file_sha256",
    "fingerprint",
    "flush_all",
    "held",
    "make_folder",
    "manifest_path",
    "peak_memory_mb",
    "publish",
    "read_manifest",
    "record_files",
    "recover",
    "refuse_links",
    "remembered_sha256",
    "remembering",
    "remove",
    "write_file",
]
