"""Measure many built-in agents at once: their cost to the daemon, and the delay to a client. Then one agent alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import memory, place, repository, three_tools
from tests.benchmarks.client import TimingClient
from tests.benchmarks.figures import Goal, Line, percentile
from tests.benchmarks.reviewed import daemon_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

RATE = 50.0
"""Events a second that each agent's model streams."""

BASELINE = "round trip of an unknown method, at rest"


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure the daemon's processor time and memory while the models stream, and each piece's delay to a client."""
    bare = memory.bare()
    late: list[float] = []
    with place.temporary(base) as here, place.home(base) as home, _models(sizes.agent_seconds) as url:
        person = here / "project"
        repository.make(person, (("a.txt", b"a\n"), ("b.txt", b"b\n")))
        home.write_config(
            f'[agents.model]\nkind = "anthropic"\nbase_url = "{url}"\napi_key_command = "echo key"\n'
            f"[runs]\nconcurrent = {sizes.agents}\n"
        )
        with TimingClient(home, person) as client:
            trivial = [client.timed("mux/nothing") for _ in range(20)]
            agent = {"agent": "model", "count": sizes.agents}
            client.command("mux.task.start", {"prompt": "Tell the time.", "agents": [agent]})
            daemon = daemon_of(home)
            # Until all stream, worktrees are still being made. When the first stream is complete, that run is ending.
            begun = before = busy = 0.0
            rss = 0
            said: Counter[str] = Counter()
            ended: set[str] = set()
            for message in client.messages():
                params: Any = message.get("params")
                match message.get("method"):
                    case "mux/runOutput":
                        stamps = _stamps(params["text"])
                        said[params["run"]] += len(stamps)
                        if not begun and len(said) == sizes.agents:
                            begun, before = time.perf_counter(), sum(daemon.cpu_times()[:2])
                        if begun and not busy:
                            late += [client.arrived - stamp for stamp in stamps]
                            if said[params["run"]] >= int(sizes.agent_seconds * RATE):
                                busy = (sum(daemon.cpu_times()[:2]) - before) / (time.perf_counter() - begun)
                                rss = daemon.memory_info().rss
                    case "mux/runChanged" if params["run"]["finished"] is not None:
                        ended.add(params["run"]["id"])
                if len(ended) == sizes.agents:
                    break
    what = f"{sizes.agents} built-in agents × {RATE:.0f} events a second"  # noqa: RUF001
    return [
        Line("agents", f"processor of the daemon, {what}, for a second", busy, "one core for a second", 1.0,
             Goal(1.0)),
        Line("agents", f"daemon, {what}", rss, memory.BASELINE, bare, Goal(250e6, "measured"), unit="bytes"),
        Line("agents", f"a piece of text to a client, {what}, p50", percentile(late, 0.5), BASELINE,
             percentile(trivial, 0.5)),
        Line("agents", f"a piece of text to a client, {what}, p99", percentile(late, 0.99), BASELINE,
             percentile(trivial, 0.99), Goal(0.050, "measured")),
        *three_tools.measure(sizes, base),
    ]  # fmt: skip


@contextmanager
def _models(seconds: float) -> Iterator[str]:
    """Run the models in a separate process and yield their address."""
    command = [sys.executable, "-m", "tests.benchmarks.stamping", str(seconds), str(RATE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.communicate()


def _stamps(text: str) -> list[float]:
    """Return the sending time of each piece. A message holds all pieces of a moment."""
    return [float(word) for word in text.split() if word.replace(".", "", 1).isdigit()]
