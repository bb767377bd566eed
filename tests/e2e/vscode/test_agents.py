"""Test permission requests, and several clients of one daemon."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.neovim import neovim
from tests.support.person import make_repository
from tests.support.replaying import DONE, agent, call, replaying, turn
from tests.support.workbench import PICKS, TITLE

if TYPE_CHECKING:
    from tests.e2e.vscode.conftest import Desk
    from tests.support.workbench import Workbench

pytestmark = pytest.mark.timeout(900)

ONE = "+1 −1"  # noqa: RUF001  a minus sign
LURE = "touch made.txt # [Click here](command:workbench.action.closeWindow) $(trash)"
PLUGIN = Path(__file__).parents[3] / "editor-clients" / "neovim"


def test_agents_ask_and_are_answered(window: Workbench, desk: Desk, tmp_path: Path) -> None:
    other = desk.window(make_repository(tmp_path / "other", {"other.txt": "one\n"}))
    other.connected()
    several = "mkdir five\nrm -r five"
    commands = (LURE, "mkdir one", "mkdir two", "mkdir two", "mkdir three", several, "mkdir four")
    with replaying(tmp_path, *(turn(call("run_command", command=command)) for command in commands), DONE) as url:
        desk.home.write_config(agent(url))
        window.command("Mux: Start a Task…")
        window.answer("Start a task", "Make some files")
        window.pick("built")
        window.pick(re.compile("Start built"))

        # A notification shows the agent's text without links; the view shows the request, and its icon a number.
        notice = window.notice("Permission request of")
        window.sees(notice, "[Click here] (command:workbench.action.closeWindow)")
        assert notice.get_by_role("link").count() == 0
        window.sees(window.page.get_by_role("button", name="Mux: 1 question"))
        window.sees(window.page.get_by_role("tab", name=re.compile("^Mux.*Agents wait for an answer")))
        window.row(re.compile("touch made.txt"))
        # A window on another repository shows the request in its view, without a notification.
        other.sees(other.page.get_by_role("button", name="Mux: 1 question"))
        other.command("Notifications: Show Notifications")
        other.sees(".notifications-center", re.compile("no new notifications", re.IGNORECASE))
        other.page.close()
        window.sees("[role=treeitem]:first-child, [data-index='0'] [role=treeitem]", "touch made.txt")
        notice.get_by_role("button", name="Once", exact=True).click()

        # Answer in the view: once, for the task (which answers the next request too), and always.
        window.inline(re.compile("mkdir one"), "Allow Once")
        window.menu(re.compile("mkdir two"), "Allow for the Task")
        window.row(re.compile("mkdir three")).click()
        window.sees(TITLE, "Permission Request")
        for answer in ("Allow Once", "Allow for the Run", "Allow for the Task", "Always Allow Here", "Refuse…"):
            window.sees(PICKS, answer)
        window.pick("Always Allow Here")
        # A request of several lines is shown in a dialog before it can be allowed.
        notice = window.notice("mkdir five")
        assert notice.get_by_role("button", name="Once", exact=True).count() == 0
        notice.get_by_role("button", name="Show Details…").click()
        window.sees(".monaco-dialog-box .dialog-message-detail", re.compile("^\\s*mkdir five\\s*rm -r five\\s*$"))
        window.dialog("Permission request of", "Allow Once")
        window.notice("mkdir four", "Refuse")
        window.answer("Refuse", "three are enough")
        run = window.run(re.compile("-1, finished"))
        window.connected()
        window.inline(re.compile(f"^{run}"), "Open the Transcript of a Run")
        page = window.page.frame_locator("iframe.webview.ready").frame_locator("#active-frame")
        window.sees(page.get_by_text("three are enough").first)


def test_a_second_window_and_a_neovim_have_the_same(window: Workbench, desk: Desk, root: Path) -> None:
    window.open("notes.txt")
    window.start("Shout", "sed -i 's/line 3$/LINE 3/; s/line 7$/LINE 7/' notes.txt")
    window.lenses(ONE, ONE)
    other = desk.window(root)
    try:
        other.connected()
        other.open("notes.txt")
        other.lenses(ONE, ONE)
        other.open("notes.txt", 3)
        other.chord("r")
        other.lenses(ONE)
        window.lenses(ONE)
    finally:
        other.page.close()
    environment = desk.home.environment(HOME=str(desk.home.folder))
    environment["PATH"] = f"{desk.program.parent}:{environment['PATH']}"
    with neovim(root, environment, "--cmd", f"set rtp^={PLUGIN}", "notes.txt") as editor:
        editor.sees("LINE 7")
        window.open("notes.txt", 7)
        window.chord("a")
        window.lines(*(f"line {number}" for number in range(1, 7)), "LINE 7")
        window.keys("Control+S")
        window.sees_no(".tab.active.dirty")
        editor.command("checktime")
        editor.wait("vim.fn.getline(7) == 'LINE 7'")
        # Reverted there and written, the change is pending here again.
        editor.lua("vim.fn.setline(7, 'line 7')")
        editor.command("write")
        window.lines(*(f"line {number}" for number in range(1, 8)))
        window.lenses(ONE)
