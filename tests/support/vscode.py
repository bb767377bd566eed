"""The real VS Code in a real browser: code-server in one exact version, in a cache outside the tree, and Chromium."""

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
"""Of code-server: VS Code 1.139."""

_COMPILED: Final = ("node-pty", "@vscode/spdlog", "native-watchdog", "@vscode/native-watchdog")
"""What VS Code has to have compiled for the Node that it runs on. Which of them there are differs by version."""

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
"""Of a person who wants to be left in peace, and sees what others see."""


def code_server() -> Path:
    """The folder with code-server, installed at the first call: most of a minute, 620 MB."""
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
    # Its own installer downloads what the registry does not have; what it would do with that we do ourselves.
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
    """The browser. On a Debian machine without one that we may change, it is installed; else the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        pytest.skip("Chromium is not here: install your system's `chromium` to have VS Code tested")
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
    """Put a `mux-lsp` there that is the one of the interpreter that runs this."""
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m mux_lsp "$@"\n')
    path.chmod(0o755)


@contextmanager
def browsing(*, height: int = 800) -> Iterator[BrowserContext]:
    """A Chromium without a screen. What one of its pages has loaded the next need not load again."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGUMENTS))
        yield browser.new_context(viewport={"width": 1280, "height": height})
        browser.close()


@contextmanager
def serving(folder: Path, settings: str, environment: Mapping[str, str], *extensions: Path) -> Iterator[str]:
    """A code-server with these extensions and nobody's settings but these. Gives its address.

    `folder` is for what it keeps. Everything it starts has this environment.
    """
    entry = [str(node.NODE), str(code_server() / "out" / "node" / "entry.js")]
    quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"]
    places = ["--user-data-dir", str(folder / "user"), "--extensions-dir", str(folder / "extensions")]
    user = folder / "user" / "User"
    user.mkdir(parents=True)
    (user / "settings.json").write_text(settings)
    mine = {name: value for name, value in environment.items() if not name.startswith("VSCODE_")}
    # It would read its own configuration file below the home folder, and write one.
    mine |= {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")}
    # Else extensions would have the PATH that a login shell sets.
    mine["VSCODE_CLI"] = "1"
    install = [argument for one in extensions for argument in ("--install-extension", str(one))]
    subprocess.run([*entry, *places, *install], env=mine, check=True, capture_output=True, timeout=60)
    with subprocess.Popen(
        [*entry, *places, *quiet, "--auth", "none", "--bind-addr", "127.0.0.1:0"],
        env=mine,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as server:
        try:
            yield _address(server, folder / "server.log")
        finally:
            # Extensions may outlive it, and ours would start a daemon again that was stopped meanwhile.
            children = psutil.Process(server.pid).children(recursive=True)
            server.terminate()
            _, left = psutil.wait_procs(children, timeout=GONE_SECONDS)
            for child in left:
                child.kill()


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    assert server.stdout is not None
    said = []
    for line in server.stdout:
        said.append(line)
        if b"HTTP server listening on http" in line:
            return line.split()[-1].decode().rstrip("/")
    raise AssertionError(f"code-server did not start: {b''.join(said).decode()}")
