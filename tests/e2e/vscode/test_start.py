"""Test the connection to the daemon: trust, finding and installing the program, protocol versions, reconnecting."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from mux_lsp.daemon.client import request_stop
from tests.support import vscode
from tests.support.home import GONE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.vscode.conftest import Desk
    from tests.support.workbench import Workbench

pytestmark = pytest.mark.timeout(900)

ONE = "+1 −1"  # noqa: RUF001  a minus sign
RESTART = "Mux: Restart the Connection to mux-lsp"

REFUSAL = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 0,
        "error": {
            "code": -32803,
            "message": "This client speaks mux protocol 1, mux-lsp 0.0.1 speaks 0: upgrade mux-lsp.",
            "data": {"kind": "usage", "protocol": 0},
        },
    }
)
OLD = f"printf 'Content-Length: {len(REFUSAL)}\\r\\n\\r\\n%s' '{REFUSAL}'; cat > /dev/null"
"""A program that answers like one with an older protocol."""


@pytest.fixture
def program(desk: Desk) -> Iterator[Path]:
    """Yield the path of the program, to be replaced. It is restored after the test."""
    yield desk.program
    desk.install()


@pytest.fixture
def without(desk: Desk) -> Iterator[Path]:
    """Yield the path of the program, which is missing. It is restored after the test."""
    desk.program.unlink()
    yield desk.program
    desk.install()


def test_nothing_is_started_in_a_folder_that_is_not_trusted(desk: Desk, root: Path) -> None:
    desk.set(**{"security.workspace.trust.enabled": True, "security.workspace.trust.startupPrompt": "never"})
    request_stop(GONE_SECONDS, home=desk.home.paths)
    window = desk.window(root)
    try:
        window.sees(".statusbar-item", "Restricted Mode")
        window.open("notes.txt")
        assert window.page.get_by_role("button", name=re.compile("^Mux")).count() == 0
        assert desk.daemon() == []
        # Once the folder is trusted, the extension starts.
        window.command("Workspaces: Manage Workspace Trust")
        window.sees(".workspace-trust-editor").get_by_role("button", name="Trust", exact=True).click()
        window.connected()
    finally:
        desk.set()
        window.page.close()


def test_a_repository_can_be_initialized(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "notes.txt").write_text("one\n")
    window = desk.window(folder)
    try:
        window.connected()
        window.page.get_by_role("tab", name="Mux", exact=True).click()
        window.sees(".welcome-view", "This folder is in no git repository")
        window.sees(".welcome-view").get_by_role("button", name="Initialize Repository").click()
        window.sees_no(".welcome-view", "no git repository")
        window.open("notes.txt")
        window.start("Add a line", "echo two >> notes.txt")
        window.lenses("+1 −0")  # noqa: RUF001  a minus sign
    finally:
        window.page.close()


def test_without_a_folder_the_view_offers_to_open_one(desk: Desk) -> None:
    window = desk.window(None)
    try:
        window.connected()
        window.page.get_by_role("tab", name="Mux", exact=True).click()
        welcome = window.sees(".welcome-view")
        window.sees(welcome.get_by_role("button", name="Open Folder"))
        for name in ("Start a Task", "Initialize Repository"):
            window.sees_none(welcome.get_by_role("button", name=name))
    finally:
        window.page.close()


def test_a_missing_program_is_installed(desk: Desk, root: Path, without: Path) -> None:
    tool = desk.tool(
        "uv", f'[ "$*" = "tool install mux-lsp" ] || exit 2\ncp "$0.program" "{without}" && chmod +x "{without}"'
    )
    vscode.put_program(tool.with_name("uv.program"))
    window = desk.window(root)
    try:
        window.notice("The program mux-lsp is not installed, or not on the PATH.", "Not Now")
        missing = window.page.get_by_role("button", name="Mux: not installed")
        window.sees(missing)

        # A person who declines is not asked again, and finds the offer in the view.
        window.command(RESTART)
        window.sees(missing)
        window.sees_no(".notification-toast")
        window.page.get_by_role("tab", name="Mux", exact=True).click()
        window.sees(".welcome-view", "The program mux-lsp is not installed")
        window.command("Welcome: Open Walkthrough...")
        window.pick("Get Started with Mux")
        step = window.sees(".getting-started-step", "Install mux-lsp")
        step.get_by_role("button", name="Install mux-lsp").click()
        window.connected()
        window.sees(step.locator(".codicon.complete"))
    finally:
        tool.unlink()
        window.page.close()


def test_the_program_of_the_selected_python_is_used(desk: Desk, root: Path, without: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name / "bin"
        folder.mkdir(parents=True)
        vscode.put_program(folder / "mux-lsp")
    # The second program waits, so that the state while it starts can be seen.
    slow = tmp_path / "two" / "bin" / "mux-lsp"
    slow.write_text(f'#!/bin/sh\nuntil [ -e "{tmp_path}/go" ]; do sleep 0.1; done; exec "$0.quick" "$@"\n')
    vscode.put_program(slow.with_name("mux-lsp.quick"))
    selected = desk.home.folder / "selected-python"
    selected.write_text(str(tmp_path / "one" / "bin" / "python"))
    window = desk.window(root)
    try:
        window.connected()
        window.command("Mux: Collect Diagnostics")
        window.lines("# Mux diagnostics")
        window.reads(f": {tmp_path}/one/bin/mux-lsp, running")
        window.reads("## mux-lsp doctor")
        window.command("View: Revert and Close Editor")

        # An environment without its own interpreter is given by its folder.
        window.command("Python: Select Interpreter")
        window.answer("Select Interpreter", str(tmp_path / "two"))
        window.sees(window.page.get_by_role("button", name="Mux: connecting"))
        (tmp_path / "go").touch()
        window.connected()
        window.command("Mux: Collect Diagnostics")
        window.reads(f": {tmp_path}/two/bin/mux-lsp, running")
        window.command("View: Revert and Close Editor")
    finally:
        selected.unlink()
        window.page.close()
    assert not without.exists()


def test_a_failed_start_is_reported_once_and_can_be_fixed(window: Workbench, desk: Desk, program: Path) -> None:
    # Another protocol version: update the program.
    desk.tool(program.name, OLD)
    tool = desk.tool("uv", f'[ "$*" = "tool upgrade mux-lsp" ] || exit 2\ncp "$0.program" "{program}"')
    vscode.put_program(tool.with_name("uv.program"))
    window.command(RESTART)
    notice = window.notice("mux-lsp 0.0.1 speaks 0: upgrade mux-lsp.")
    window.sees(window.page.get_by_role("button", name="Mux: no connection"))
    assert window.page.locator(".notification-toast").count() == 1
    notice.get_by_role("button", name="Update mux-lsp…").click()
    window.connected()
    tool.unlink()

    # A program that never answers: restarting does not wait for it.
    desk.tool(program.name, "exec sleep 1000")
    window.command(RESTART)
    window.sees(window.page.get_by_role("button", name="Mux: connecting"))
    desk.install()
    window.command(RESTART)
    window.connected()
    window.sees_no(".notification-toast")

    # The daemon cannot start: the reason is shown.
    desk.tool(program.name, f'MUX_LSP_HOME=/dev/null exec {desk.python} -P -m mux_lsp "$@"')
    window.command(RESTART)
    notice = window.notice("mux-lsp: ")
    window.sees(window.page.get_by_role("button", name="Mux: no connection"))
    assert window.page.locator(".notification-toast").count() == 1
    desk.install()
    notice.get_by_role("button", name="Try Again").click()
    window.connected()


def test_a_killed_daemon_is_started_again(window: Workbench, desk: Desk, program: Path, tmp_path: Path) -> None:
    window.open("notes.txt")
    window.start("Shout", "sed -i 's/line 3$/LINE 3/' notes.txt")
    window.lenses(ONE)
    slow = f'until [ -e "{tmp_path}/go" ]; do sleep 0.1; done; exec {desk.python} -P -m mux_lsp "$@"'
    desk.tool(program.name, slow)
    for process in desk.daemon():
        process.kill()
    window.sees(window.page.get_by_role("button", name="Mux: connecting"))
    window.sees_no(".editor-instance .cgmr")
    (tmp_path / "go").touch()
    window.connected()
    window.lenses(ONE)
    window.open("notes.txt")
    window.chord("n")
    window.at(3)
    window.chord("a")
    window.lines("line 1", "line 2", "LINE 3")
