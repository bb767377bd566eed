"""Take the pictures of the extension's README from the real VS Code, as `make screenshots`."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support import extension, vscode
from tests.support.home import isolated_home
from tests.support.person import make_repository
from tests.support.workbench import INPUT, PICKS, TITLE, Workbench

if TYPE_CHECKING:
    from collections.abc import Mapping

PICTURES: Final = extension.SOURCES / "media" / "screenshots"

SLUG = """\
import re


def slug(title):
    # TODO: accents and other scripts
    words = title.split(" ")
    return "-".join(words).lower()


def unique(name, taken):
    number = 2
    while name in taken:
        name = name + str(number)
        number = number + 1
    return name
"""

TESTS = """\
import unittest
from slug import slug, unique


class Slugs(unittest.TestCase):
    def test_accents(self):
        self.assertEqual(slug("Crème brûlée"), "creme-brulee")

    def test_unique(self):
        self.assertEqual(unique("a", {"a", "a-2"}), "a-3")
"""

AGENTS: Final[Mapping[str, str]] = {
    "careful": r"""
    s/    words = title.split(" ")/    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()\
    words = re.findall(r"[a-z0-9]+", plain.lower())/
    s/    return "-".join(words).lower()/    return "-".join(words)/
    s/^import re/import re\nimport unicodedata/
    /TODO/d
    s/        name = name + str(number)/        name = f"{base}-{number}"/
    s/    number = 2/    base, number = name, 2/
    s/number = number + 1/number += 1/""",
    "quick": r"""
    s/    words = title.split(" ")/    words = re.split(r"[^a-z0-9]+", title.lower())/
    s/    return "-".join(words).lower()/    return "-".join(word for word in words if word)/
    s/number = number + 1/number += 1/""",
    "second": r"""
    s/    words = title.split(" ")/    words = re.split(r"[^a-z0-9]+", title.lower())/
    s/    return "-".join(words).lower()/    return "-".join(word for word in words if word)/""",
}
"""Made-up agents, as sed scripts: one passes the tests."""


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    agent = "[agents.{}]\nkind = \"command\"\ncommand = '''sed -i -e '{}' slug.py'''\n"
    checks = "[defaults]\nchecks = ['python3 -m unittest -q']\n"
    config = checks + "".join(agent.format(name, script) for name, script in AGENTS.items())
    with isolated_home() as home, tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        root = make_repository(here / "website", {"slug.py": SLUG, "test_slug.py": TESTS})
        home.write_config(config)
        vscode.put_program(here / "mux-lsp")
        settings = vscode.SETTINGS | {"muxLsp.path": str(here / "mux-lsp"), "breadcrumbs.enabled": False}
        environment = home.environment(HOME=str(home.folder))
        with (
            vscode.serving(here / "server", json.dumps(settings), environment, extension.package()) as url,
            vscode.browsing(height=640) as browser,
        ):
            _take(Workbench(browser.new_page(), url, root))


def _take(window: Workbench) -> None:
    window.connected()
    window.open("slug.py")
    window.command("Mux: Start a Task…")
    window.answer("Start a task", "Make slugs of any title, and keep them unique")
    window.sees(TITLE, "Agents")
    for agent in AGENTS:
        window.page.locator(INPUT).fill(agent)
        window.sees(window.page.locator(PICKS).first, agent)
        window.keys("Enter")
        window.sees(PICKS, re.compile(f"Start .*{agent}"))
    window.keys("Enter")
    run = window.run(re.compile("-1, finished, #1 · 1 file .* ✓ 1 check"))
    for number in (2, 3):
        window.row(re.compile(f"-{number}, finished, .*#[23] .* ✗ 1 of 1 check"))
    window.sees(".editor-instance .codelens-decoration", "2 variants")
    window.row(re.compile(f"^{run}")).click()
    window.keys("ArrowRight")
    window.row(re.compile("slug.py, modified"))
    window.open("slug.py", 6)
    window.chord("e")
    window.sees(".review-widget")
    _picture(window, "review")
    window.chord("e")
    window.inline(re.compile("Make slugs"), "Compare the Runs of a Task")
    page = window.page.frame_locator("iframe.webview.ready").frame_locator("#active-frame")
    window.sees(page.get_by_role("table", name="Ranking"))
    _picture(window, "compare")
    window.command("View: Close Editor")
    window.inline(re.compile(f"^{run}"), "Open All Changes of a Run")
    window.sees(".multiDiffEntry .view-line", "unicodedata.normalize")
    _picture(window, "changes")


def _picture(window: Workbench, name: str) -> None:
    window.page.mouse.move(640, 620)
    window.sees_no(".monaco-hover:visible")
    window.sees_no(".statusbar-item:visible", "Activating Extensions")
    window.page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
