"""Install programs from npm, in one exact version each, once into a cache outside of the tree."""

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
    """Return the executable of a package. Skip the test if there is no Node for it."""
    if shutil.which("node") is None:
        pytest.skip(f"{package} runs on Node, which is not here")
    return install(package, version, program)


def install(package: str, version: str, program: str) -> Path:
    """Install a package and return its executable. Raises OSError or subprocess.SubprocessError if that fails."""
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
