"""Test notifications: failed tasks, tasks that finished while the window had no focus, and limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.replaying import DONE, agent, call, replaying, turn
from tests.support.signals import signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.vscode.conftest import Desk
    from tests.support.workbench import Workbench

pytestmark = pytest.mark.timeout(900)

TOAST = ".notification-toast"


@pytest.fixture
def settings(desk: Desk) -> Iterator[Desk]:
    """Yield the desk. Its settings and configuration are restored after the test."""
    yield desk
    desk.set()
    desk.home.write_config("")


def test_a_failed_task_is_notified_with_its_reason(window: Workbench) -> None:
    window.start("Break it", "exit 3")
    notice = window.notice("“Break it” failed. ended with exit status 3")
    assert notice.get_by_role("button", name="Compare").count() == 0
    # Starting a task opened the view: hide it.
    window.row(re.compile("^Break it, "))
    window.command("View: Toggle Primary Side Bar Visibility")
    window.sees_no("[role=treeitem]", "Break it")
    notice.get_by_role("button", name="Show", exact=True).click()
    window.row(re.compile("^Break it, "))


def test_a_finished_task_is_notified_to_a_window_without_focus(window: Workbench, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "go") as (go,):
        work = f"{go.take}; sed -i s/3/THREE/ notes.txt"
        window.start("Shout", work, f"{work}; true", f"{go.take}; exit 3")
        window.run(re.compile("-3, running"))
        window.leave()
        go.happens(3)
        notice = window.notice("“Shout” has finished: 2 runs to review, 1 failed.")
        window.sees(notice.get_by_role("button", name="Compare", exact=True))
        # A focused window gets no notification.
        window.come_back()
        notice.get_by_role("button", name="Show", exact=True).click()
        window.sees_no(TOAST)
        window.start("Whisper")
        window.run(re.compile("-3, running"))
        go.happens(3)
        window.row(re.compile("^Whisper, .* · 3 runs"))
        window.sees(window.page.get_by_role("button", name="Mux", exact=True))
        assert window.page.locator(TOAST).count() == 0


def test_limits_are_notified_when_near_and_when_reached(window: Workbench, settings: Desk, tmp_path: Path) -> None:
    def edit(line: int, tokens: int) -> str:
        edits = [{"old": f"line {line}\n", "new": f"LINE {line}\n"}]
        return turn(
            call("edit_file", path="notes.txt", edits=edits), more=f"usage = {{ input = {tokens}, output = 0 }}"
        )

    with replaying(tmp_path, edit(5, 850), edit(6, 200), edit(7, 200), DONE) as url:
        settings.home.write_config(agent(url) + "[limits]\nrepository_tokens = 1000\n")
        window.command("Mux: Start a Task…")
        window.answer("Start a task", "Change lines")
        window.pick("built")
        window.pick(re.compile("Start built"))
        window.sees(window.notice("is near: 850 tokens").locator(".codicon-warning"))
        window.sees(window.notice("1,050 tokens").locator(".codicon-error"))
        window.run(re.compile("-1, cancelled"))


def test_notifications_can_be_turned_off(settings: Desk, root: Path) -> None:
    settings.set(**{"muxLsp.notifications": "none"})
    window = settings.window(root)
    try:
        window.connected()
        window.start("Break it", "exit 3")
        # A notification would come before the row is drawn.
        window.run(re.compile("-1, failed"))
        assert window.page.locator(TOAST).count() == 0
    finally:
        window.page.close()
