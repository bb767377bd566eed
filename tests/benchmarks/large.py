"""Measure accepting a result of very many files as a whole, while another client requests code actions."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.benchmarks import place, repository
from tests.benchmarks.client import TimingClient
from tests.benchmarks.figures import Goal, Line, percentile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

TEXT = "".join(f"line {number}\n" for number in range(1, 201))


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure the other client's delay, at rest and meanwhile, and the accept beside git's reading of the result."""
    meanwhile: list[float] = []
    with place.temporary(base) as here, place.home(base) as home:
        person = here / "project"
        repository.make(person, [("file.txt", TEXT.encode())])
        with TimingClient(home, person) as one, TimingClient(home, person) as two:
            agent = (
                f"sh:mkdir build && cd build && seq {sizes.large_files} | split -l 1 -a 5 -d - f && "
                "sed -i 's/5$/five/' ../file.txt"
            )
            one.command("mux.task.start", {"prompt": "Build.", "agents": [{"agent": agent}]})
            (run,) = one.until_given_back(1)
            if run["file_count"] != sizes.large_files + 1:
                raise RuntimeError(f"the run changed {run['file_count']} files, which is not what it should")
            uri = (person / "file.txt").as_uri()
            item = {"uri": uri, "languageId": "plaintext", "version": 1, "text": TEXT}
            two.notify("textDocument/didOpen", {"textDocument": item})
            _ask(two, uri)
            at_rest = [_ask(two, uri) for _ in range(sizes.requests // 5 + 1)]
            begun = time.perf_counter()
            accepting = threading.Thread(target=one.command, args=("mux.run.accept", {"run": run["id"]}))
            accepting.start()
            while accepting.is_alive() or not meanwhile:
                meanwhile.append(_ask(two, uri))
                accepting.join(0.02)
            seconds = time.perf_counter() - begun
        begun = time.perf_counter()
        repository.git(person, "-c", "core.autocrlf=false", "add", "-A")
        added = time.perf_counter() - begun
    what = f"code action while {sizes.large_files:,} files are accepted"
    return [
        Line("large", f"{what}, p50", percentile(meanwhile, 0.5), "at rest, p50", percentile(at_rest, 0.5)),
        Line("large", f"{what}, p99", percentile(meanwhile, 0.99), "at rest, p99", percentile(at_rest, 0.99),
             Goal(0.100, "measured")),
        Line("large", f"accepting {sizes.large_files:,} files", seconds, "git add -A", added),
    ]  # fmt: skip


def _ask(client: TimingClient, uri: str) -> float:
    at = {"line": 4, "character": 0}
    begun = time.perf_counter()
    answer = client.request(
        "textDocument/codeAction",
        {"textDocument": {"uri": uri}, "range": {"start": at, "end": at}, "context": {"diagnostics": []}},
    )
    seconds = client.arrived - begun
    if not answer["result"]:
        raise RuntimeError(f"no code action in {uri}")
    return seconds
