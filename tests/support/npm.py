"""Programs from npm, in one exact version each, installed once into a cache outside the tree."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.support import node
from tests.support.isolation import CACHE

if TYPE_CHECKING:
    from pathlib import Path


def installed(package: str, version: str, program: str) -> Path:
    """The program of a package, to be run as it is. The test is skipped where there is no Node for that."""
    if shutil.which("node") is None:
        pytest.skip(f"{package} runs on Node, which is not here")
    return install(package, version, program)


def install(package: str, version: str, program: str) -> Path:
    """The program of a package. Raises OSError or subprocess.SubprocessError where it cannot be installed."""
    cache = CACHE / "npm"
    folder = cache / f"{package.replace('/', '+')}@{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            node.npm(folder, "install", "--prefix", str(folder), f"{package}@{version}")
            (folder / "complete").touch()
    return folder / "node_modules" / ".bin" / program
