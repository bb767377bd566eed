"""Run the real VS Code in a real browser: one exact version of code-server, cached outside the tree, and Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psutil
import pytest
from filelock import FileLock
from playwright.sync_api import sync_playwright

from tests.support import node
from tests.support.isolation import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import BrowserContext

GONE_SECONDS = 20.0

VERSION: Final = "4.139.1"
"""The version of code-server, with VS Code 1.139."""

_COMPILED: Final = ("node-pty", "@vscode/spdlog", "native-watchdog", "@vscode/native-watchdog")
"""The packages to compile for the Node that runs VS Code. Some versions do not have all of them."""

CHROMIUM_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

SETTINGS: Final = {
    "chat.disableAIFeatures": True,
    "editor.minimap.enabled": False,
    "extensions.ignoreRecommendations": True,
    "files.autoSave": "off",
    "git.openRepositoryInParentFolders": "never",
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
}
"""Settings without distractions and with the default appearance."""


def code_server() -> Path:
    """Return the folder with code-server. The first call installs it, which takes about a minute and 620 MB."""
    cache = CACHE / "vscode"
    folder = cache / f"code-server-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _install(folder)
            (folder / "complete").touch()
    return folder / "node_modules" / "code-server"


def _install(folder: Path) -> None:
    # Its own installer would download from outside of the registry: install without scripts, then do their work here.
    node.npm(folder, "install", "--ignore-scripts", "--prefix", str(folder), f"code-server@{VERSION}")
    server = folder / "node_modules" / "code-server"
    editor = server / "lib" / "vscode"
    for part in (editor, editor / "extensions"):
        node.npm(part, "install", "--omit=dev", "--ignore-scripts")
    node.npm(folder, "rebuild", "argon2")
    there = [name for name in _COMPILED if (editor / "node_modules" / name).exists()]
    node.npm(editor, "rebuild", *there)
    (editor / "node_modules.asar").symlink_to("node_modules")


def chromium() -> str:
    """Return the path of the browser. Install a missing one as root on Debian, else skip the test."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        pytest.skip("Chromium was not found: install the package `chromium` to run the tests of VS Code")
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "chromium.lock"):
        if (found := shutil.which("chromium")) is None:
            wanted = ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
            for arguments in (["update"], wanted):
                subprocess.run([apt, "-qq", *arguments], check=True, capture_output=True, timeout=node.SECONDS)
            found = shutil.which("chromium")
    assert found, "apt-get has installed chromium, and it is not on the PATH"
    return found


def put_program(path: Path) -> None:
    """Write a program `mux-lsp` that runs the package with the current interpreter."""
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m mux_lsp "$@"\n')
    path.chmod(0o755)


@contextmanager
def browsing(*, height: int = 800) -> Iterator[BrowserContext]:
    """Yield a headless Chromium whose pages share a cache."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGUMENTS))
        yield browser.new_context(viewport={"width": 1280, "height": height})
        browser.close()


@contextmanager
def serving(folder: Path, settings: str, environment: Mapping[str, str], *extensions: Path) -> Iterator[str]:
    """Run a code-server with these extensions and only these settings. Yield its address.

    It keeps its files in `folder`. All processes that it starts have this environment.
    """
    entry = [str(node.NODE), str(code_server() / "out" / "node" / "entry.js")]
    quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"]
    places = ["--user-data-dir", str(folder / "user"), "--extensions-dir", str(folder / "extensions")]
    user = folder / "user" / "User"
    user.mkdir(parents=True)
    (user / "settings.json").write_text(settings)
    own = {name: value for name, value in environment.items() if not name.startswith("VSCODE_")}
    # Otherwise it would read and write a configuration file in the home folder.
    own |= {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")}
    # Otherwise extensions would have the PATH of a login shell.
    own["VSCODE_CLI"] = "1"
    install = [argument for one in extensions for argument in ("--install-extension", str(one))]
    subprocess.run([*entry, *places, *install], env=own, check=True, capture_output=True, timeout=60)
    with subprocess.Popen(
        [*entry, *places, *quiet, "--auth", "none", "--bind-addr", "127.0.0.1:0"],
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as server:
        try:
            yield _address(server, folder / "server.log")
        finally:
            # Extensions may outlive the server, and ours would start a stopped daemon again.
            children = psutil.Process(server.pid).children(recursive=True)
            server.terminate()
            _, left = psutil.wait_procs(children, timeout=GONE_SECONDS)
            for child in left:
                child.kill()


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    assert server.stdout is not None
    output = []
    for line in server.stdout:
        output.append(line)
        if b"HTTP server listening on http" in line:
            return line.split()[-1].decode().rstrip("/")
    raise AssertionError(f"code-server did not start: {b''.join(output).decode()}")
