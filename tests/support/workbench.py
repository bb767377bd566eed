"""A person before VS Code: types, clicks, and looks at what is on the screen. Every wait is for something to come."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError, expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

WAIT_MILLISECONDS = 60_000

TITLE = ".quick-input-widget:visible .quick-input-title"
PICKS = ".quick-input-widget:visible .quick-input-list .monaco-list-row"
INPUT = ".quick-input-widget:visible .quick-input-box input"


_RULED = """([[red, green, blue], wanted]) => {
    const ruler = document.querySelector('.editor-instance canvas.decorationsOverviewRuler');
    const { data } = ruler.getContext('2d').getImageData(0, 0, ruler.width, ruler.height);
    let found = false;
    for (let at = 0; at < data.length && !found; at += 4) {
        found = data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255;
    }
    return found === wanted;
}"""


class Workbench:
    """One window, on a folder, on a file that names several, or on none."""

    def __init__(self, page: Page, url: str, folder: Path | None) -> None:
        self.page = page
        self._which = page.locator(TITLE).filter(has_text=re.compile("^(Run|Task)$"))
        page.set_default_timeout(WAIT_MILLISECONDS)
        several = folder is not None and folder.suffix == ".code-workspace"
        opened = "ew=true" if folder is None else f"{'workspace' if several else 'folder'}={folder}"
        page.goto(f"{url}/?{opened}")
        page.locator(".monaco-workbench").wait_for()
        if several:
            self._has_folders()

    def _has_folders(self) -> None:
        """On a busy machine VS Code may look for the file that names them before it can read it, and stay empty.

        A person reloads the window then.
        """
        row = self.page.locator(".explorer-folders-view [role=treeitem]").first
        try:
            row.wait_for(timeout=WAIT_MILLISECONDS / 4)
        except TimeoutError:
            self.page.reload()
            row.wait_for()

    # Looking

    def sees(self, locator: Locator | str, text: str | re.Pattern[str] | None = None) -> Locator:
        """Wait until it is on the screen."""
        found = self.page.locator(locator) if isinstance(locator, str) else locator
        found = found if text is None else found.filter(has_text=text)
        expect(found.first).to_be_visible(timeout=WAIT_MILLISECONDS)
        return found.first

    def sees_no(self, locator: str, text: str | None = None) -> None:
        """Wait until it is not on the screen."""
        found = self.page.locator(locator)
        found = found if text is None else found.filter(has_text=text)
        expect(found).to_have_count(0, timeout=WAIT_MILLISECONDS)

    def sees_none(self, locator: Locator) -> None:
        """Wait until there is none of it."""
        expect(locator).to_have_count(0, timeout=WAIT_MILLISECONDS)

    def connected(self) -> None:
        """Wait until the status bar says that the daemon is there."""
        self.sees(self.page.get_by_role("button", name=re.compile("^Mux(: \\d+ (run|question)s?)?$")))

    def lines(self, *texts: str) -> None:
        """Wait until these are the first lines of the editor, without what is only drawn there."""
        script = """wanted => {
            const lines = [...document.querySelectorAll('.editor-instance .view-lines .view-line')];
            lines.sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top);
            const seen = lines.map(line => line.textContent.replaceAll('\\u00a0', ' ').replaceAll('\\u200b', ''));
            return wanted.every((text, number) => seen[number] === text);
        }"""
        self.page.wait_for_function(script, arg=list(texts))

    def reads(self, text: str) -> None:
        """Wait until this stands in the editor, be it that its lines are folded."""
        script = """wanted => {
            const lines = [...document.querySelectorAll('.editor-instance .view-lines .view-line')];
            lines.sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top);
            return lines.map(line => line.textContent.replaceAll('\u00a0', ' ')).join('').includes(wanted);
        }"""
        self.page.wait_for_function(script, arg=text)

    def comes(self, text: str, coming: str) -> None:
        """Wait until behind the line with a text stands what would come in its place."""
        script = """([text, coming]) => [...document.querySelectorAll('.editor-instance .view-line')]
            .filter(line => line.textContent.replaceAll('\\u00a0', ' ').includes(text))
            .flatMap(line => [...line.querySelectorAll('span')])
            .some(part => getComputedStyle(part, '::after').content.replaceAll('\\u00a0', ' ').includes(coming))"""
        self.page.wait_for_function(script, arg=[text, coming])

    def rules(self, colour: tuple[int, int, int]) -> None:
        """Wait until the overview ruler of the editor has a mark of this colour."""
        self.page.wait_for_function(_RULED, arg=[list(colour), True])

    def rules_no(self, colour: tuple[int, int, int]) -> None:
        """Wait until it has none."""
        self.page.wait_for_function(_RULED, arg=[list(colour), False])

    def at(self, line: int) -> None:
        """Wait until the cursor is in a line."""
        self.sees(".statusbar-item", re.compile(f"^Ln {line}, "))

    def lenses(self, *headlines: str) -> None:
        """Wait until these are the lines of lenses in the editor, from above; each by how it begins."""
        script = """wanted => {
            const all = [...document.querySelectorAll('.editor-instance .codelens-decoration')];
            all.sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top);
            const seen = all.map(one => one.textContent.replaceAll('\\u00a0', ' ').trim()).filter(text => text);
            return seen.length === wanted.length && wanted.every((text, number) => seen[number].startsWith(text));
        }"""
        self.page.wait_for_function(script, arg=list(headlines))

    def lens(self, headline: str, title: str) -> None:
        """Click a lens in the line that begins like this."""
        line = self.sees(".editor-instance .codelens-decoration", re.compile(f"^\\s*{re.escape(headline)}"))
        line.get_by_role("button", name=title, exact=True).click()

    # Doing

    def save_all(self) -> None:
        """Save everything, once there is something to save."""
        self.sees(".tab.dirty")
        self.command("File: Save All")
        self.sees_no(".tab.dirty")

    def leave(self) -> None:
        """Turn to another window of one's machine. (To a page of a headless browser that never happens.)"""
        self.page.evaluate("() => { document.hasFocus = () => false; window.dispatchEvent(new Event('blur')); }")

    def come_back(self) -> None:
        self.page.evaluate("() => { delete document.hasFocus; window.dispatchEvent(new Event('focus')); }")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def chord(self, key: str) -> None:
        """One of our keys."""
        self._pressed()
        self.keys("Alt+M", key)

    def type(self, text: str) -> None:
        self.page.keyboard.insert_text(text)

    def command(self, title: str) -> None:
        """Carry out a command of the palette."""
        self._ask("F1", f">{title}")
        self.pick(re.compile(f"^{re.escape(title)}"))

    def _ask(self, key: str, text: str) -> None:
        """Type into the quick input that a key brings, again where what is just being shown has taken the focus."""
        self._pressed()
        attempts = 5
        for _ in range(attempts):
            self.keys(key)
            with contextlib.suppress(TimeoutError):
                self.page.locator(INPUT).fill(text, timeout=WAIT_MILLISECONDS / attempts)
                return
        raise AssertionError(f"{key} brought nothing to type {text!r} into")

    def pick(self, text: str | re.Pattern[str]) -> None:
        """Choose what is offered."""
        self.sees(PICKS, text).click()

    def answer(self, title: str, text: str) -> None:
        """Type into the input box of this title, and press Enter."""
        self.sees(TITLE, title)
        self.page.locator(INPUT).fill(text)
        self.keys("Enter")

    def open(self, name: str, line: int = 1) -> None:
        """Open a file by its name, and put the cursor at the start of a line."""
        self._ask("Control+P", f"{name}:{line}")
        base = name.rpartition("/")[2]
        # Not a diff of it, which is offered too until the list is of what was typed, and whose tab has the same name.
        label = self.page.locator(".label-name", has_text=re.compile(f"^{re.escape(base)}$"))
        self.sees(self.page.locator(PICKS).filter(has=label)).click()
        self.sees(f".tab.active[data-resource-name='{base}']")
        self.sees(".editor-instance .monaco-editor.focused:not(.monaco-diff-editor *) .view-line")

    def go(self, line: int) -> None:
        """Put the cursor at the start of a line."""
        self._ask("Control+G", f":{line}")
        self.keys("Enter")
        self.sees(".editor-instance .monaco-editor.focused .view-line")

    def start(self, prompt: str, *commands: str) -> None:
        """Start a task with these shell commands for agents, from the palette."""
        self.command("Mux: Start a Task…")
        self.answer("Start a task", prompt)
        self.agents(*commands)

    def agents(self, *commands: str) -> None:
        """Pick these shell commands where agents are to be picked, and start."""
        self.sees(TITLE, "Agents")
        for command in commands:
            self.page.locator(INPUT).fill(f"sh:{command}")
            self.sees(PICKS, f"sh:{command}")
            self.keys("Enter")
            expect(self.page.locator(INPUT)).to_have_value("")
        self.sees(PICKS, re.compile("Start \\S"))
        self.keys("Enter")

    def row(self, name: str | re.Pattern[str]) -> Locator:
        """A row of the tasks view, by how a screen reader names it."""
        return self.sees(self.page.get_by_role("treeitem", name=name))

    def run(self, which: str | re.Pattern[str]) -> str:
        """The id of the run whose row is named like this."""
        return (self.row(which).get_attribute("aria-label") or "").partition(",")[0]

    def menu(self, name: str | re.Pattern[str], action: str) -> None:
        """Choose from the menu of a row of the tasks view."""

        def press() -> None:
            self.row(name).click(button="right")
            # A click right after the menu came up is taken for the end of the one that brought it up.
            self.sees(self.page.get_by_role("menuitem", name=action, exact=True)).hover()
            self.keys("Enter")

        self._press(press)

    def notice(self, text: str | re.Pattern[str], button: str | None = None) -> Locator:
        """A notification that says this; press a button of it."""
        found = self.sees(".notification-toast", text)
        if button is not None:
            found.get_by_role("button", name=button, exact=True).click()
        return found

    def dialog(self, text: str, button: str) -> None:
        """Press a button of the dialog that says this."""
        self.sees(".monaco-dialog-box", text).get_by_role("button", name=button, exact=True).click()

    def bulb(self, title: str) -> None:
        """Choose what the light bulb at the cursor offers, once it is lit."""
        self.sees(".editor-instance .lightBulbWidget, .editor-instance [class*='codicon-gutter-lightbulb']")
        self._in_menu(lambda: self.keys("Control+."), title, lambda row, patience: row.click(timeout=patience))

    def offered(self, ask: Callable[[], None], text: str | re.Pattern[str]) -> None:
        """See a row with this text in the menu that is asked for."""
        self._in_menu(ask, text, lambda row, patience: row.wait_for(timeout=patience))

    def _in_menu(
        self, ask: Callable[[], None], text: str | re.Pattern[str], act: Callable[[Locator, float], None]
    ) -> None:
        row = self.page.locator(".action-widget .monaco-list-row").filter(has_text=text).first
        for patience in (5_000, WAIT_MILLISECONDS):
            ask()
            try:
                act(row, patience)
            except TimeoutError:
                # VS Code takes the menu away where what it is about changes meanwhile: a person asks once more.
                self.keys("Escape")
            else:
                return
        raise AssertionError(f"the menu does not offer {text}")

    def inline(self, name: str | re.Pattern[str], action: str) -> None:
        """Press the button of this name in a row of the tasks view."""

        def press() -> None:
            row = self.row(name)
            row.hover()
            row.get_by_role("button", name=action).click()

        self._press(press)

    def _press(self, press: Callable[[], None]) -> None:
        """Do something to a row; once more where it was being drawn anew just then.

        VS Code does not know the rows below one that is drawn anew. So the person is asked which one is meant, leaves
        that, and presses again.
        """

        def again() -> None:
            self.keys("Escape")
            press()

        self._pressed()
        press()
        self.page.add_locator_handler(self._which, again, times=1)

    def _pressed(self) -> None:
        """What is asked from now on is meant to be."""
        self.page.remove_locator_handler(self._which)
