"""Measure how soon the display follows a person who types, with many runs under review in two clients."""

from __future__ import annotations

import functools
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.benchmarks import memory, place, repository
from tests.benchmarks.client import TimingClient
from tests.benchmarks.figures import Goal, Line, percentile, quantity
from tests.benchmarks.reviewed import daemon_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

LINES = 2_000
"""Lines of each file. The person types in the last line at its top that no run changes."""
TOP = 10

_AGENT = """
import os, pathlib
run = int(os.environ["MUX_RUN"].rpartition("-")[2])
for file in pathlib.Path().glob("*.txt"):
    lines = file.read_text().splitlines(True)
    for hunk in range({hunks}):
        at = {top} + 2 + hunk * {apart} + run % 10 * 3
        lines[at] = f"variant {{run % 3}} of line {{at}}\\n"
    file.write_text("".join(lines))
"""
"""Every case occurs: a third of the runs that change the same line agree on it, so that variants compete at places and
several runs make each of them.
"""

BASELINE = "round trip of an unknown method"


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure from a key to the new code lenses, while the other person types too; and the daemon's memory then."""
    bare = memory.bare()
    taken: list[float] = []
    trivial: list[float] = []
    with place.temporary(base) as here, place.home(base) as home:
        person = here / "project"
        texts = dict(_files(sizes))
        repository.make(person, ((name, text.encode()) for name, text in texts.items()))
        script = here / "agent.py"
        apart = (LINES - TOP - 40) // sizes.live_hunks
        script.write_text(_AGENT.format(hunks=sizes.live_hunks, top=TOP, apart=apart), encoding="utf-8")
        with TimingClient(home, person) as one, TimingClient(home, person) as two:
            agent = f"sh:exec {shlex.join([sys.executable, '-ISE', str(script)])}"
            task = {"prompt": "Change.", "agents": [{"agent": agent, "count": sizes.live_runs}]}
            one.command("mux.task.start", task)
            hunks = sum(run["hunks"] for run in one.until_given_back(sizes.live_runs))
            if hunks != sizes.live_runs * sizes.live_files * sizes.live_hunks:
                raise RuntimeError(f"the runs made {hunks} hunks, which is not what they should")
            uris = [(person / name).as_uri() for name in list(texts)[: sizes.live_open]]
            for client in (one, two):
                for uri, text in zip(uris, texts.values(), strict=False):
                    _open(client, uri, text)
            daemon = daemon_of(home)
            before = sum(daemon.cpu_times()[:2])
            for key in range(sizes.keys):
                uri, version = uris[key % len(uris)], key // len(uris) + 2
                trivial.append(one.timed("mux/nothing"))
                _type(two, uris[(key + 1) % len(uris)], version)
                begun = time.perf_counter()
                _type(one, uri, version)
                answer = one.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
                taken.append(one.arrived - begun)
                if len(answer["result"]) < sizes.live_hunks:
                    raise RuntimeError(f"{len(answer['result'])} code lenses in {uri}")
                # Updates for these texts must not delay the next key.
                for client, typed in ((one, uri), (two, uris[(key + 1) % len(uris)])):
                    client.until("textDocument/publishDiagnostics", functools.partial(_is_for, typed, version))
            spent = sum(daemon.cpu_times()[:2]) - before
            busy = daemon.memory_full_info()
    many = f"{sizes.live_runs} runs × {sizes.live_files} files × {sizes.live_hunks} hunks"  # noqa: RUF001
    note = f"two clients, {LINES:,} lines; {quantity(spent / sizes.keys / 2, 'seconds')} of processor for a key"
    goal = Goal(0.100, "measured")
    return [
        Line("live", f"a key to new code lenses, {many}, p50", percentile(taken, 0.5), BASELINE,
             percentile(trivial, 0.5), note=note),
        Line("live", f"a key to new code lenses, {many}, p99", percentile(taken, 0.99), BASELINE,
             percentile(trivial, 0.99), goal),
        Line("live", f"daemon, {many} under review", busy.rss, memory.BASELINE, bare, unit="bytes",
             note=f"its own share {quantity(busy.pss, 'bytes')}"),
    ]  # fmt: skip


def _files(sizes: Sizes) -> Iterator[tuple[str, str]]:
    for number in range(sizes.live_files):
        yield f"file{number:02}.txt", "".join(f"line {line} of file {number}\n" for line in range(LINES))


def _open(client: TimingClient, uri: str, text: str) -> None:
    item = {"uri": uri, "languageId": "plaintext", "version": 1, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": item})
    client.until("textDocument/publishDiagnostics", functools.partial(_is_for, uri, 1))


def _type(client: TimingClient, uri: str, version: int) -> None:
    at = {"line": TOP - 1, "character": 0}
    change = {"range": {"start": at, "end": at}, "text": "x"}
    identifier = {"uri": uri, "version": version}
    client.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": [change]})


def _is_for(uri: str, version: int, params: dict[str, Any]) -> bool:
    return (params["uri"], params["version"]) == (uri, version)
