"""Every folder of the package is in setup.cfg, and so in the wheel."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_setup_cfg_lists_every_package_there_is() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "mtkd").rglob("__init__.py")
    }
    assert found == listed - {"mtkd.tasks", "mtkd.pipelines", "mtkd.data"}
