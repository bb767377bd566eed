"""Test the comparison of a task's runs in the webview, and the walkthrough for a new user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support import extension

if TYPE_CHECKING:
    from playwright.sync_api import Frame

    from tests.support.workbench import Workbench

pytestmark = pytest.mark.timeout(900)

EVIL = "<img src=x onerror=alert(1)> Shout"


def test_runs_are_compared_in_a_page_that_everybody_can_use(window: Workbench) -> None:
    window.open("notes.txt")
    shout, trois = "sed -i s/3/THREE/ notes.txt", "sed -i s/3/trois/ notes.txt"
    window.start(EVIL, shout, f"{shout}; true", f"{trois}; echo more > more.txt")
    third = window.run(re.compile("-3, finished, #3 · 2 files"))
    task = third.partition("-")[0]
    window.inline(re.compile("img"), "Compare the Runs of a Task")
    page = window.page.frame_locator("iframe.webview.ready").frame_locator("#active-frame")

    # The content, as text.
    window.sees(page.get_by_role("heading", name=EVIL))
    for name in ("Ranking", "Files"):
        window.sees(page.get_by_role("table", name=name))
    window.sees(page.get_by_role("row", name=re.compile(f"^tied 1 {task}-1 ?sh:")))
    window.sees(page.get_by_role("row", name=re.compile(f"^3 {third} ?sh:.* in common")))
    window.sees(page.get_by_role("row", name=re.compile("^more.txt new \\+1")))
    window.sees(page.get_by_role("group", name="Agreement and time"))
    assert page.locator("img").count() == 0

    # axe finds no accessibility fault, and the policy lets no foreign script run.
    frame = inner(window)
    frame.evaluate(extension.module("axe-core/axe.min.js") + ";0")
    faults = frame.evaluate("axe.run(document).then(found => found.violations.map(one => one.id + ': ' + one.help))")
    assert faults == []
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert re.fullmatch(r"default-src 'none'; style-src \S+( \S+)*; script-src 'nonce-[\w-]+'", policy)
    assert "unsafe" not in policy

    # The keyboard alone opens the changes of a run, of a file, and of a point of the plot.
    page.get_by_role("button", name=f"Open the changes of {third}", exact=True).focus()
    window.keys("Enter")
    window.sees(".tab.active", re.compile(f"^{third}: .*\\(2 files\\)"))
    back(window)
    page.get_by_role("button", name=re.compile(f"notes.txt of {task}-2")).focus()
    window.keys("Space")
    window.sees(".tab.active", f"notes.txt (yours ↔ {task}-2)")
    back(window)
    page.get_by_role("button", name=re.compile(f"^{third}: .* agreement")).focus()
    window.keys("Enter")
    window.sees(".tab.active", re.compile(f"^{third}: .*\\(2 files\\)"))

    # A hidden page is up to date when it is shown again; a visible page updates by itself.
    window.inline(re.compile(f"^{task}-2"), "Discard a Run…")
    window.dialog("Discard", "Discard")
    window.row(re.compile(f"^{task}-2, finished, discarded"))
    back(window)
    row = page.get_by_role("row", name=re.compile(f"{task}-2"))
    window.sees_none(row)
    window.inline(re.compile(f"^{task}-2"), "Restore a Run")
    window.sees(row)

    # A later run is added. (The menu of a row that VS Code is redrawing does nothing: wait for the row first.)
    window.row(re.compile(f"^{task}-2, finished, tied #1"))
    window.menu(re.compile(f"^{third}, finished, #3"), "Retry a Run")
    page.get_by_role("button", name=f"Open the changes of {task}-4", exact=True).click()
    window.sees(".tab.active", re.compile(f"^{task}-4: .*\\(2 files\\)"))
    back(window)

    # A button picks a run.
    page.get_by_role("button", name=re.compile(f"^Pick {task}-1")).click()
    window.dialog(f"Accept all of {task}-1?", "Accept")
    window.row(re.compile(f"^{third}, finished, discarded"))
    window.open("notes.txt")
    window.lines("line 1", "line 2", "line THREE")


def back(window: Workbench) -> None:
    """Close the editor in front, and wait until the comparison is visible again."""
    window.keys("Control+W")
    window.sees(".tab.active", "Compare: ")


def inner(window: Workbench) -> Frame:
    """Return the frame of the page."""
    found = window.page.frame_locator("iframe.webview.ready").locator("#active-frame").element_handle().content_frame()
    assert found is not None
    return found


def test_the_walkthrough_leads_to_an_accepted_change(window: Workbench) -> None:
    window.page.get_by_role("tab", name="Mux", exact=True).click()
    window.sees(".welcome-view a", "Get started").click()
    # The program is installed: the step to install it is hidden.
    step = window.sees(".getting-started-step", "Start a task")
    assert window.page.locator(".getting-started-step", has_text="Install mux-lsp").count() == 0
    step.get_by_role("button", name="Try It with an Example").click()
    window.inserts("", "↑ This line is")
    lens = window.sees(".editor-instance .codelens-decoration", "2 variants")
    lens.get_by_role("button", name="Accept", exact=True).click()
    window.sees(".editor-instance .view-line", re.compile(r"This\sline\sis\san(other|\sexample)\sagent's"))
    window.lenses()
    window.sees(".tab", "Welcome").click()
    for done in ("Start a task", "Accept a change"):
        window.sees(window.page.locator(".getting-started-step", has_text=done).locator(".codicon.complete"))
    left = window.page.locator(".getting-started-step", has_text="See everything")
    window.sees(left)
    assert left.locator(".codicon.complete").count() == 0
