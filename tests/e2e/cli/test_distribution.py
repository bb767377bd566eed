"""Test that the output of `make dist` can be installed in an empty environment, and is equal to the byte each time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import pytest

from mux_lsp import __version__
from tests.support import distribution

# An installation with all dependencies, from pip's sources.
pytestmark = [pytest.mark.xdist_group("distribution"), pytest.mark.timeout(600)]

DATE: Final = 1_700_000_000

WHEEL: Final = f"mux_lsp-{__version__}-py3-none-any.whl"
SDIST: Final = f"mux_lsp-{__version__}.tar.gz"
EXTENSION: Final = f"mux-lsp-{__version__}.vsix"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build everything and return the folder."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "mux_lsp-0.0.1.tar.gz").touch()  # from an earlier version
    distribution.build(folder, date=DATE)
    return folder


def contents(wheel: Path) -> dict[str, str]:
    """Return the digest of each file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_it_is_all_there_with_its_checksums(built: Path) -> None:
    assert {one.name for one in built.iterdir()} == {WHEEL, SDIST, EXTENSION, "SHA256SUMS"}
    sums = [line.split("  ") for line in (built / "SHA256SUMS").read_text().splitlines()]
    assert {name: digest for digest, name in sums} == {
        name: hashlib.sha256((built / name).read_bytes()).hexdigest() for name in (WHEEL, SDIST, EXTENSION)
    }
    inside = contents(built / WHEEL)
    assert {"mux_lsp/py.typed", "mux_lsp/clients/neovim/plugin/mux.lua", "mux_lsp/clients/neovim/doc/tags"} <= set(
        inside
    )
    assert not [name for name in inside if not name.startswith(("mux_lsp/", f"mux_lsp-{__version__}.dist-info/"))]


def test_a_second_build_elsewhere_is_equal_to_the_byte(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "elsewhere"
    tracked = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=distribution.CHECKOUT, text=True
    )
    for name in filter(None, tracked.split("\0")):
        if (distribution.CHECKOUT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(distribution.CHECKOUT / name, source / name)  # at another time
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    distribution.build(tmp_path / "again", source, date=DATE)
    assert (tmp_path / "again" / "SHA256SUMS").read_text() == (built / "SHA256SUMS").read_text()


def test_the_sdist_and_the_checkout_make_the_same_wheel(built: Path, tmp_path: Path) -> None:
    wheel = distribution.hatch("wheel", distribution.CHECKOUT, tmp_path, DATE)
    assert contents(wheel) == contents(built / WHEEL)
    with tarfile.open(built / SDIST) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "Makefile", ".github/CONTRIBUTING.md", "editor-clients/PROTOCOL.md"} <= names


def test_the_demo_runs_from_the_wheel_in_an_empty_environment(built: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dist-", dir="/tmp") as short:  # short, for the socket
        home = Path(short)
        (home / "tmp").mkdir()
        subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
        program = home / "venv" / "bin" / "mux-lsp"
        install = [
            str(home / "venv" / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            str(built / WHEEL),
        ]
        done = subprocess.run(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(home / "tmp")}

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [program, *arguments], cwd=home, env=environment, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout

        assert __version__ in run("--version")
        assert "\nOK\n" in run("demo")
        plugin = Path(run("neovim-path").strip())
        assert plugin.is_relative_to(home / "venv")
        assert (plugin / "plugin" / "mux.lua").is_file()
