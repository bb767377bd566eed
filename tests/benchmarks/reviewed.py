"""Provide a session with many finished runs under review, for the memory and code action measurements."""

from __future__ import annotations

import functools
import json
import os
import random
import shlex
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.benchmarks import place, repository
from tests.benchmarks.client import TimingClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.sizes import Sizes
    from tests.support.home import IsolatedHome

APART = 3
"""Lines from one run's hunk to the next run's, in the files where runs change different lines."""
TOP = 10
"""Lines at the top of each file that no run changes: the person types there."""

_AGENT = """
import os, pathlib
run = int(os.environ["MUX_RUN"].rpartition("-")[2]) - 1
for file in pathlib.Path().glob("*.txt"):
    lines = file.read_text().splitlines(True)
    for hunk in range({hunks}):
        at = {top} + hunk * {spacing} + (run * {apart} if file.name.startswith("spread") else 0)
        lines[at] = f"run {{run}} changed line {{at}} to its own liking\\n"
    file.write_text("".join(lines))
"""


@dataclass(frozen=True, slots=True)
class Document:
    """A file under review, open in the client. `stacked` is true if all runs change the same lines differently."""

    uri: str
    text: str
    stacked: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A client with its documents open and their diagnostics published, and the daemon with its earlier memory use."""

    client: TimingClient
    documents: tuple[Document, ...]
    daemon: psutil.Process
    idle: int
    """The daemon's resident bytes when the client had connected and nothing was done yet."""
    sizes: Sizes
    chance: random.Random

    def a_line(self, document: Document) -> int:
        """Return a random line that a run changes."""
        at = TOP + self.chance.randrange(self.sizes.review_hunks) * _spacing(self.sizes)
        return at if document.stacked else at + self.chance.randrange(self.sizes.review_runs) * APART


@contextmanager
def session(sizes: Sizes, base: Path) -> Iterator[Session]:
    """Complete the runs, open all files, wait until each shows its diagnostics, and yield the session."""
    with place.temporary(base) as here, place.home(base) as home:
        person = here / "project"
        texts = dict(_files(sizes))
        repository.make(person, ((name, text.encode()) for name, text in texts.items()))
        script = here / "agent.py"
        script.write_text(
            _AGENT.format(hunks=sizes.review_hunks, top=TOP, spacing=_spacing(sizes), apart=APART), encoding="utf-8"
        )
        with TimingClient(home, person) as client:
            daemon = daemon_of(home)
            idle = daemon.memory_info().rss
            agent = f"sh:exec {shlex.join([sys.executable, '-ISE', str(script)])}"
            task = {"prompt": "Change.", "agents": [{"agent": agent, "count": sizes.review_runs}]}
            client.command("mux.task.start", task)
            runs = client.until_given_back(sizes.review_runs)
            hunks = sum(run["hunks"] for run in runs)
            if hunks != sizes.review_runs * sizes.review_files * sizes.review_hunks:
                raise RuntimeError(f"the runs made {hunks} hunks, which is not what they should")
            documents = tuple(_open(client, person, texts))
            yield Session(client, documents, daemon, idle, sizes, random.Random(1))


def _spacing(sizes: Sizes) -> int:
    return APART * sizes.review_runs


def _files(sizes: Sizes) -> Iterator[tuple[str, str]]:
    length = TOP + _spacing(sizes) * sizes.review_hunks + 5
    for number in range(sizes.review_files):
        kind = "stacked" if number % 2 == 0 else "spread"
        yield f"{kind}{number:02}.txt", "".join(f"line {line} of file {number}\n" for line in range(length))


def _open(client: TimingClient, person: Path, texts: dict[str, str]) -> Iterator[Document]:
    for name, text in texts.items():
        uri = (person / name).as_uri()
        item = {"uri": uri, "languageId": "plaintext", "version": 1, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": item})
        client.until("textDocument/publishDiagnostics", functools.partial(_is_shown, uri))
        yield Document(uri, text, name.startswith("stacked"))


def _is_shown(uri: str, params: dict[str, Any]) -> bool:
    return params["uri"] == uri and bool(params["diagnostics"])


def daemon_of(home: IsolatedHome) -> psutil.Process:
    record = json.loads(Path(os.fspath(home.paths.daemon_record)).read_bytes())
    return psutil.Process(record["pid"])
