"""Programs from npm, in one exact version each, installed once into a cache outside the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

INSTALL_SECONDS = 300


def installed(package: str, version: str, program: str) -> Path:
    """The program of a package. The test is skipped where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{package} is installed by npm, which is not here")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mux-lsp" / "npm"
    folder = cache / f"{package.replace('/', '+')}@{version}"
    found = folder / "node_modules" / ".bin" / program
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"{package}@{version}"]
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
            (folder / "complete").touch()
    return found
