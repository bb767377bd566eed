"""Measure the extension in the real VS Code: its activation, its size, and the delay of lenses."""

from __future__ import annotations

import json
import re
import shlex
import time
import zipfile
from typing import TYPE_CHECKING

from tests.benchmarks import place, repository
from tests.benchmarks.client import TimingClient
from tests.benchmarks.figures import Goal, Line, median, percentile
from tests.support import extension, vscode
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

APART = 4
"""Lines from one place to the next: all places are on the screen at once."""

LARGEST = 500_000
"""Maximum size of the package in bytes."""

_CHANGED = """wanted => {
    window.muxChanged = new Promise(resolve => {
        const all = () => [...document.querySelectorAll('.codelens-decoration')];
        const lenses = () => all().filter(one => one.textContent.trim()).length;
        const look = () => lenses() === wanted && (observer.disconnect(), resolve(Date.now()));
        const observer = new MutationObserver(look);
        observer.observe(document.body, { childList: true, subtree: true, characterData: true });
        look();
    });
}"""
"""Script that records when the wanted number of lines with lenses is on the screen."""


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure activation, size, and with many runs the time from `mux/reviewChanged` to its lenses.

    The notification comes from another client's decision; that client gets it at the same moment.
    """
    package = extension.package()
    rounds = sizes.vscode_rounds
    text = "".join(f"line {number}\n" for number in range(rounds * APART + 2))
    with place.temporary(base) as here, place.home(base) as home:
        person = here / "project"
        repository.make(person, [("notes.txt", text.encode())])
        environment = home.environment(HOME=str(home.folder))
        vscode.put_program(here / "mux-lsp")
        settings = vscode.SETTINGS | {"muxLsp.path": str(here / "mux-lsp")}
        with (
            vscode.serving(here / "server", json.dumps(settings), environment, package) as url,
            vscode.browsing(height=1400) as browser,
        ):
            window = Workbench(browser.new_page(), url, person)
            window.connected()
            activations = _activations(window)
            window.open("notes.txt")
            with TimingClient(home, person) as other:
                taken, asked = _followed(sizes, window, other, person / "notes.txt")
    many = f"{sizes.vscode_runs} runs under review"
    return [
        Line("vscode", "activation, as VS Code reports it", activations["Mux"], "VS Code's own Git extension",
             activations["Git"], Goal(0.050, "measured")),
        Line("vscode", "the extension's package", package.stat().st_size, "the most that it may be", LARGEST, Goal(1.0),
             "bytes"),
        Line("vscode", "the extension's bundle", _bundle(package), "that of VS Code's own Git extension",
             (vscode.code_server() / "lib" / "vscode" / "extensions" / "git" / "dist" / "main.js").stat().st_size,
             unit="bytes"),
        Line("vscode", f"mux/reviewChanged to lenses on the screen, {many}, p50", median(taken),
             "the same lenses, asked for by that client", median(asked)),
        Line("vscode", f"mux/reviewChanged to lenses on the screen, {many}, p99", percentile(taken, 0.99),
             "the same lenses, asked for by that client", percentile(asked, 0.99)),
    ]  # fmt: skip


def _bundle(package: Path) -> int:
    """Return the size of all the code in a package."""
    with zipfile.ZipFile(package) as archive:
        return archive.getinfo("extension/out/extension.js").file_size


def _activations(window: Workbench) -> dict[str, float]:
    """Return the seconds that extensions took to activate, by their names."""
    window.command("Developer: Show Running Extensions")
    window.sees(".runtime-extensions-editor .monaco-list-row", re.compile(r"Mux.*Activation: \d+ms"))
    rows = window.page.locator(".runtime-extensions-editor .monaco-list-row").all_inner_texts()
    found = {row.split("\n", 1)[0].strip(): re.search(r"Activation: (\d+)ms", row) for row in rows}
    window.keys("Control+W")
    return {name: max(int(match[1]), 1) / 1000 for name, match in found.items() if match}


def _decide(other: TimingClient, name: str, argument: dict[str, object]) -> float:
    """Execute a command. Return the arrival time of its `mux/reviewChanged` in seconds since the epoch."""
    number = other.ask("workspace/executeCommand", {"command": name, "arguments": [argument]})
    told: float | None = None
    while True:
        message = other.receive()
        if message.get("method") == "mux/reviewChanged":
            told = time.time() - (time.perf_counter() - other.arrived)
        if message.get("id") == number:
            break
    if told is None:
        other.until("mux/reviewChanged", lambda _: True)
        told = time.time() - (time.perf_counter() - other.arrived)
    return told


def _followed(sizes: Sizes, window: Workbench, other: TimingClient, file: Path) -> tuple[list[float], list[float]]:
    """Return the seconds from each decision to the lenses, and the other client's delay for the same lenses."""
    rounds = sizes.vscode_rounds
    numbers = [number * APART + 1 for number in range(rounds)]
    command = ["sed", "-i", *(f"-es/^line {number}$/LINE {number}/" for number in numbers), "notes.txt"]
    agents = [{"agent": f"sh:{shlex.join(command)}", "count": sizes.vscode_runs}]
    started = other.command("mux.task.start", {"prompt": "Shout", "agents": agents, "checks": []})
    other.until_given_back(sizes.vscode_runs)
    run = started["task"]["runs"][0]["id"]
    uri = file.as_uri()
    item = {"uri": uri, "languageId": "plaintext", "version": 1, "text": file.read_text()}
    other.notify("textDocument/didOpen", {"textDocument": item})
    taken: list[float] = []
    asked: list[float] = []
    window.lenses(*["+1"] * rounds)
    for left in reversed(range(rounds)):
        items = other.command("mux.review.list", {"uri": uri, "run": run})["items"]
        hunk = next(one["hunk"] for one in items if one["status"] == "pending")
        window.page.evaluate(_CHANGED, left)
        told = _decide(other, "mux.hunk.reject", {"run": run, "hunks": [hunk], "shared": True})
        changed = window.page.evaluate("() => window.muxChanged")
        taken.append(max(changed / 1000 - told, 0.001))
        asked.append(other.timed("textDocument/codeLens", {"textDocument": {"uri": uri}}))
    return taken, asked
