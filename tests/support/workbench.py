"""Play a person who uses VS Code: type, click, look at the screen. Wait for conditions, never for a time."""

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
    """One window: on a folder, on a workspace file, or without a folder."""

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
        """Wait until the folders of a workspace file are shown.

        On a busy machine, VS Code may look for the file before it can read it, and stay empty: reload the window then.
        """
        row = self.page.locator(".explorer-folders-view [role=treeitem]").first
        try:
            row.wait_for(timeout=WAIT_MILLISECONDS / 4)
        except TimeoutError:
            self.page.reload()
            row.wait_for()

    # Looking

    def sees(self, locator: Locator | str, text: str | re.Pattern[str] | None = None) -> Locator:
        """Wait until the element is visible."""
        found = self.page.locator(locator) if isinstance(locator, str) else locator
        found = found if text is None else found.filter(has_text=text)
        expect(found.first).to_be_visible(timeout=WAIT_MILLISECONDS)
        return found.first

    def sees_no(self, locator: str, text: str | None = None) -> None:
        """Wait until the element does not exist."""
        found = self.page.locator(locator)
        found = found if text is None else found.filter(has_text=text)
        expect(found).to_have_count(0, timeout=WAIT_MILLISECONDS)

    def sees_none(self, locator: Locator) -> None:
        """Wait until no such element exists."""
        expect(locator).to_have_count(0, timeout=WAIT_MILLISECONDS)

    def connected(self) -> None:
        """Wait until the status bar shows that the daemon is connected."""
        self.sees(self.page.get_by_role("button", name=re.compile("^Mux(: \\d+ (run|question)s?)?$")))

    def lines(self, *texts: str) -> None:
        """Wait until these are the first lines of the editor, without decorations."""
        script = """wanted => {
            const lines = [...document.querySelectorAll('.editor-instance .view-lines .view-line')];
            lines.sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top);
            const seen = lines.map(line => line.textContent.replaceAll('\\u00a0', ' ').replaceAll('\\u200b', ''));
            return wanted.every((text, number) => seen[number] === text);
        }"""
        self.page.wait_for_function(script, arg=list(texts))

    def reads(self, text: str) -> None:
        """Wait until the editor contains a text, which may be wrapped over several lines."""
        script = """wanted => {
            const lines = [...document.querySelectorAll('.editor-instance .view-lines .view-line')];
            lines.sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top);
            return lines.map(line => line.textContent.replaceAll('\u00a0', ' ')).join('').includes(wanted);
        }"""
        self.page.wait_for_function(script, arg=text)

    def inserts(self, text: str, inserted: str) -> None:
        """Wait until the line with a text is followed by the inserted text of a change."""
        script = """([text, inserted]) => [...document.querySelectorAll('.editor-instance .view-line')]
            .filter(line => line.textContent.replaceAll('\\u00a0', ' ').includes(text))
            .flatMap(line => [...line.querySelectorAll('span')])
            .some(part => getComputedStyle(part, '::after').content.replaceAll('\\u00a0', ' ').includes(inserted))"""
        self.page.wait_for_function(script, arg=[text, inserted])

    def rules(self, colour: tuple[int, int, int]) -> None:
        """Wait until the overview ruler of the editor has a mark of this colour."""
        self.page.wait_for_function(_RULED, arg=[list(colour), True])

    def rules_no(self, colour: tuple[int, int, int]) -> None:
        """Wait until the overview ruler has no mark of this colour."""
        self.page.wait_for_function(_RULED, arg=[list(colour), False])

    def at(self, line: int) -> None:
        """Wait until the cursor is in a line."""
        self.sees(".statusbar-item", re.compile(f"^Ln {line}, "))

    def lenses(self, *headlines: str) -> None:
        """Wait until these are the starts of the lines of lenses in the editor, from top to bottom."""
        script = """wanted => {
            const all = [...document.querySelectorAll('.editor-instance .codelens-decoration')];
            all.sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top);
            const seen = all.map(one => one.textContent.replaceAll('\\u00a0', ' ').trim()).filter(text => text);
            return seen.length === wanted.length && wanted.every((text, number) => seen[number].startsWith(text));
        }"""
        self.page.wait_for_function(script, arg=list(headlines))

    def lens(self, headline: str, title: str) -> None:
        """Click a lens in the line that starts with a headline."""
        line = self.sees(".editor-instance .codelens-decoration", re.compile(f"^\\s*{re.escape(headline)}"))
        line.get_by_role("button", name=title, exact=True).click()

    # Acting

    def save_all(self) -> None:
        """Save all files, once one is unsaved."""
        self.sees(".tab.dirty")
        self.command("File: Save All")
        self.sees_no(".tab.dirty")

    def leave(self) -> None:
        """Take the focus from the window, which a headless browser never does."""
        self.page.evaluate("() => { document.hasFocus = () => false; window.dispatchEvent(new Event('blur')); }")

    def come_back(self) -> None:
        """Give the focus to the window again."""
        self.page.evaluate("() => { delete document.hasFocus; window.dispatchEvent(new Event('focus')); }")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def chord(self, key: str) -> None:
        """Press a key of the extension."""
        self._pressed()
        self.keys("Alt+M", key)

    def type(self, text: str) -> None:
        self.page.keyboard.insert_text(text)

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self._fill_quick_input("F1", f">{title}")
        self.pick(re.compile(f"^{re.escape(title)}"))

    def _fill_quick_input(self, key: str, text: str) -> None:
        """Open a quick input with a key and type into it. Try again if another element has taken the focus."""
        self._pressed()
        attempts = 5
        for _ in range(attempts):
            self.keys(key)
            with contextlib.suppress(TimeoutError):
                self.page.locator(INPUT).fill(text, timeout=WAIT_MILLISECONDS / attempts)
                return
        raise AssertionError(f"{key} opened no quick input for {text!r}")

    def pick(self, text: str | re.Pattern[str]) -> None:
        """Choose an entry of a quick pick."""
        self.sees(PICKS, text).click()

    def answer(self, title: str, text: str) -> None:
        """Type into the input box with a title, and press Enter."""
        self.sees(TITLE, title)
        self.page.locator(INPUT).fill(text)
        self.keys("Enter")

    def open(self, name: str, line: int = 1) -> None:
        """Open a file by its name, and put the cursor at the start of a line."""
        self._fill_quick_input("Control+P", f"{name}:{line}")
        base = name.rpartition("/")[2]
        # Not its diff: the list has that too until it is filtered, and its tab has the same name.
        label = self.page.locator(".label-name", has_text=re.compile(f"^{re.escape(base)}$"))
        self.sees(self.page.locator(PICKS).filter(has=label)).click()
        self.sees(f".tab.active[data-resource-name='{base}']")
        self.sees(".editor-instance .monaco-editor.focused:not(.monaco-diff-editor *) .view-line")

    def go(self, line: int) -> None:
        """Put the cursor at the start of a line."""
        self._fill_quick_input("Control+G", f":{line}")
        self.keys("Enter")
        self.sees(".editor-instance .monaco-editor.focused .view-line")

    def start(self, prompt: str, *commands: str) -> None:
        """Start a task with these shell commands for agents, from the palette."""
        self.command("Mux: Start a Task…")
        self.answer("Start a task", prompt)
        self.agents(*commands)

    def agents(self, *commands: str) -> None:
        """Pick these shell commands as agents, and start the task."""
        self.sees(TITLE, "Agents")
        for command in commands:
            self.page.locator(INPUT).fill(f"sh:{command}")
            self.sees(PICKS, f"sh:{command}")
            self.keys("Enter")
            expect(self.page.locator(INPUT)).to_have_value("")
        self.sees(PICKS, re.compile("Start \\S"))
        self.keys("Enter")

    def row(self, name: str | re.Pattern[str]) -> Locator:
        """Return a row of the tasks view, by its accessible name."""
        return self.sees(self.page.get_by_role("treeitem", name=name))

    def run(self, which: str | re.Pattern[str]) -> str:
        """Return the id of the run whose row has this name."""
        return (self.row(which).get_attribute("aria-label") or "").partition(",")[0]

    def menu(self, name: str | re.Pattern[str], action: str) -> None:
        """Choose from the menu of a row of the tasks view."""

        def press() -> None:
            self.row(name).click(button="right")
            # VS Code takes a click right after the menu opened for the end of the click that opened it.
            self.sees(self.page.get_by_role("menuitem", name=action, exact=True)).hover()
            self.keys("Enter")

        self._press(press)

    def notice(self, text: str | re.Pattern[str], button: str | None = None) -> Locator:
        """Wait for a notification with a text, and press one of its buttons."""
        found = self.sees(".notification-toast", text)
        if button is not None:
            found.get_by_role("button", name=button, exact=True).click()
        return found

    def dialog(self, text: str, button: str) -> None:
        """Press a button of the dialog with a text."""
        self.sees(".monaco-dialog-box", text).get_by_role("button", name=button, exact=True).click()

    def bulb(self, title: str) -> None:
        """Choose an action of the light bulb at the cursor, once it is shown."""
        self.sees(".editor-instance .lightBulbWidget, .editor-instance [class*='codicon-gutter-lightbulb']")
        self._in_menu(lambda: self.keys("Control+."), title, lambda row, patience: row.click(timeout=patience))

    def offered(self, request: Callable[[], None], text: str | re.Pattern[str]) -> None:
        """Open a menu, and wait for a row with a text."""
        self._in_menu(request, text, lambda row, patience: row.wait_for(timeout=patience))

    def _in_menu(
        self, request: Callable[[], None], text: str | re.Pattern[str], act: Callable[[Locator, float], None]
    ) -> None:
        row = self.page.locator(".action-widget .monaco-list-row").filter(has_text=text).first
        for patience in (5_000, WAIT_MILLISECONDS):
            request()
            try:
                act(row, patience)
            except TimeoutError:
                # VS Code closes the menu when the code actions change: open it again.
                self.keys("Escape")
            else:
                return
        raise AssertionError(f"the menu does not offer {text}")

    def inline(self, name: str | re.Pattern[str], action: str) -> None:
        """Press a button in a row of the tasks view."""

        def press() -> None:
            row = self.row(name)
            row.hover()
            row.get_by_role("button", name=action).click()

        self._press(press)

    def _press(self, press: Callable[[], None]) -> None:
        """Act on a row, and again if VS Code was redrawing it.

        VS Code passes no row to a command while it redraws one above it. The extension then lets the person pick: close
        the list, and act again.
        """

        def again() -> None:
            self.keys("Escape")
            press()

        self._pressed()
        press()
        self.page.add_locator_handler(self._which, again, times=1)

    def _pressed(self) -> None:
        """Accept lists of tasks and runs from now on: they do not result from a redrawn row."""
        self.page.remove_locator_handler(self._which)
