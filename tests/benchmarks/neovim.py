"""Measure the cost of the Neovim plugin: start, typing among many changes, and memory."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks import place
from tests.benchmarks.figures import Goal, Line, median, percentile
from tests.e2e.neovim.person import PLUGIN, Person
from tests.support import neovim_versions
from tests.support.home import isolated_home
from tests.support.neovim import neovim
from tests.support.person import make_repository, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes
    from tests.support.home import IsolatedHome
    from tests.support.neovim import Neovim
    from tests.support.neovim_versions import Installed

START_SECONDS = 0.002
"""Maximum seconds added to the start before anything is used."""
TYPING = 1.2
"""Maximum ratio of the time until a key is on the screen."""

_BETWEEN_KEYS = 0.02
_TURNS = 5


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure with Neovim 0.11, beside the same Neovim without the plugin."""
    nvim = neovim_versions.installed("0.11")
    with place.temporary(base) as here:
        return [_start(nvim, here, sizes), *_typing(nvim, here, sizes)]


def _start(nvim: Installed, here: Path, sizes: Sizes) -> Line:
    bare: list[float] = []
    added: list[float] = []
    for _ in range(sizes.neovim_starts):
        bare.append(_seconds_to_start(nvim, here))
        added.append(_seconds_to_start(nvim, here, "--cmd", f"set rtp^={PLUGIN}"))
    # The minimum of each: other load on the machine adds more to a start than the difference in question.
    return Line(
        "neovim",
        "added to the start of Neovim",
        max(0.0, min(added) - min(bare)),
        "`nvim --clean`",
        min(bare),
        goal=Goal(START_SECONDS, of="measured"),
    )


def _seconds_to_start(nvim: Installed, here: Path, *arguments: str) -> float:
    """Return the seconds until Neovim is ready, by its own clock."""
    log = here / "startuptime"
    log.unlink(missing_ok=True)
    command = [*nvim.command, "--clean", "--headless", *arguments, "--startuptime", str(log), "-c", "qa!"]
    subprocess.run(command, cwd=here, check=True, stdin=subprocess.DEVNULL)
    started = re.findall(r"(?m)^(\d+\.\d+)  .*--- NVIM STARTED ---", log.read_text())
    return float(started[-1]) / 1000


def _typing(nvim: Installed, here: Path, sizes: Sizes) -> list[Line]:
    every = sizes.neovim_lines // sizes.neovim_hunks
    root = make_repository(here / "project", {"long.txt": text_of(range(1, sizes.neovim_lines + 1))})
    what = f"{sizes.neovim_hunks:,} changes in {sizes.neovim_lines:,} lines"
    bare: list[float] = []
    ours: list[float] = []
    with isolated_home() as home, _without(nvim, root) as editor, _with(nvim, root, home) as person:
        shift = f"awk 'NR % {every} == 0 {{ $0 = toupper($0) }} {{ print }}' long.txt > x && mv x long.txt"
        task = person.start(shift)
        person.wait("require('mux.store').task(a[1]).state == 'ended'", task)
        person.wait("#require('mux.places').waiting(vim.api.nvim_get_current_buf()) == a[1]", sizes.neovim_hunks)
        # In turns: the machine may be busy for a while.
        for _ in range(_TURNS):
            bare += _strokes(editor, sizes)
            ours += _strokes(person.editor, sizes)
        bare_memory, memory = _memory(editor), _memory(person.editor)
    lines = [
        Line("neovim", f"a key to the screen, {what}, {share}", of(ours), "without the plugin", of(bare), goal=goal)
        for share, of, goal in (
            ("p50", median, Goal(TYPING)),
            ("p99", lambda seconds: percentile(seconds, 0.99), None),
        )
    ]
    note = "and the language client that Neovim loads"
    return [
        *lines,
        Line("neovim", f"Neovim with {what}", memory, "without the plugin", bare_memory, unit="bytes", note=note),
    ]


@contextmanager
def _without(nvim: Installed, root: Path) -> Iterator[Neovim]:
    with neovim(root, {"HOME": str(root)}, "long.txt", program=nvim) as editor:
        yield editor


@contextmanager
def _with(nvim: Installed, root: Path, home: IsolatedHome) -> Iterator[Person]:
    program = home.folder / "mux-lsp"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(home.command())} "$@"\n')
    program.chmod(0o755)
    with Person.at(home, root, nvim, "long.txt", "{}", {}) as person:
        person.attached()
        yield person


def _strokes(editor: Neovim, sizes: Sizes) -> list[float]:
    """Return the seconds from each key until it is on the screen, typed in the middle of the file."""
    editor.command(f"{sizes.neovim_lines // 2}")
    assert editor.screen
    editor.stroke("o")
    seconds = []
    for number in range(max(1, sizes.neovim_keys // _TURNS)):
        time.sleep(_BETWEEN_KEYS)
        seconds.append(editor.stroke("abcdefgh "[number % 9].replace(" ", "<Space>")))
    editor.stroke("<Esc>")
    return seconds


def _memory(editor: Neovim) -> int:
    process: int = editor.lua("return vim.fn.getpid()")
    resident: int = psutil.Process(process).memory_info().rss
    return resident
