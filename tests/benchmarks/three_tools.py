"""Measure one small task: write a file, run a command, edit the file. The same server plays the model for every agent.

The built-in agent and Claude Code do it through the daemon, from `mux.task.start` to the run's end. The baseline is
Claude Code alone, `claude -p`, from the start of its process to its end. The scripts differ in the tools' names.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

from mux_lsp.agents.backend import Attempt, Decision
from mux_lsp.agents.builtin.api import Api
from mux_lsp.agents.builtin.loop import BuiltinBackend
from tests.benchmarks import place, repository
from tests.benchmarks.client import TimingClient
from tests.benchmarks.figures import Goal, Line, median, quantity
from tests.e2e.agents.settings import CLAUDE, KEY
from tests.support import npm
from tests.support.home import IsolatedHome
from tests.support.replaying import DONE, call, replaying, text, turn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mux_lsp.agents.events import Event
    from mux_lsp.core.permissions import PermissionRequest
    from tests.benchmarks.sizes import Sizes

PROMPT = "Write the greeting."
GREETING = "greeting.txt"
NAME = "a task of three tools"
THROUGH = f"{NAME}, built-in agent through the daemon"
MODEL = "built-in"
"""The model name of the built-in agent, by which the server selects the script."""

SCRIPT = (
    turn(text("I write it."), call("write_file", path=GREETING, content="hello\n")),
    turn(call("run_command", command=f"cat {GREETING}")),
    turn(call("edit_file", path=GREETING, edits=[{"old": "hello", "new": "good morning"}])),
    DONE,
    "[[conversation]]",
    turn(text("I write it."), call("Write", file_path=GREETING, content="hello\n")),
    turn(call("Bash", command=f"cat {GREETING}", description="look")),
    turn(call("Edit", file_path=GREETING, old_string="hello", new_string="good morning")),
    turn(text("It is done.")),
)


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure medians of rounds in which all agents take turns. Without Claude Code, the bare agent is the baseline."""
    alone: list[float] = []
    built: list[float] = []
    whole: list[float] = []
    preset: list[float] = []
    with (
        place.temporary(base) as here,
        place.home(base) as home,
        replaying(here, *SCRIPT, settings=f'model = "{MODEL}"') as url,
    ):
        person, project = here / "person", here / "project"
        person.mkdir()
        repository.make(project, (("notes.txt", b"seven\n"),))
        environment = {"HOME": str(person), "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY}
        program, missing = _installed() if sizes.beside_claude else (None, "Claude Code was not asked for")
        if program is not None:
            environment["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        home.write_config('[permissions]\nallow = ["run:cat"]\n')
        with TimingClient(IsolatedHome(home.folder, environment), project) as client:
            for number in range(sizes.task_rounds + 1):
                alone.append(_alone(here / f"alone-{number}", url))
                built.append(_through_daemon(client, {"agent": "anthropic", "model": MODEL}))
                if program is not None:
                    whole.append(_claude(program, here / f"whole-{number}", environment))
                    preset.append(_through_daemon(client, {"agent": "claude"}))
    note = f"the first of a daemon, which loads the SDK, {quantity(built[0], 'seconds')}"
    if program is None:
        return [Line("agents", THROUGH, _usual(built), "the agent alone", _usual(alone), note=f"{note}; {missing}")]
    baseline = f"`claude -p` {CLAUDE.version}, the whole process", _usual(whole)
    return [
        Line("agents", f"{NAME}, built-in agent alone", _usual(alone), *baseline),
        Line("agents", THROUGH, _usual(built), *baseline, Goal(1.0), note=note),
        Line("agents", f"{NAME}, Claude Code through the daemon", _usual(preset), *baseline),
    ]


def _usual(samples: list[float]) -> float:
    """Return the median without the first sample, which runs with cold caches."""
    return median(samples[1:])


def _installed() -> tuple[Path | None, str]:
    """Install Claude Code. Return its path, or None and the reason."""
    try:
        return npm.install(CLAUDE.package, CLAUDE.version, CLAUDE.name), ""
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"Claude Code is not here, npm could not install it ({type(error).__name__})"


class _Nobody:
    """A host that ignores events and allows everything."""

    def emit(self, event: Event, offset: int | None = None) -> None:
        pass

    async def ask(self, request: PermissionRequest) -> Decision:
        return Decision(True)


def _alone(folder: Path, url: str) -> float:
    """Return the seconds for the built-in agent in this process, without daemon and worktree."""

    async def key() -> str:
        return KEY

    run_folder = folder.with_suffix(".run")
    for made in (folder, run_folder):
        made.mkdir()
    attempt = Attempt("k3f-1", "k3f", PROMPT, folder, folder, folder, run_folder)
    backend = BuiltinBackend(lambda _: Api(MODEL, url, key))
    begun = time.perf_counter()
    outcome = asyncio.run(backend.attempt(attempt, _Nobody()))
    taken = time.perf_counter() - begun
    _check(folder, outcome.reason)
    return taken


def _check(folder: Path, trouble: str | None) -> None:
    if trouble or (folder / GREETING).read_text() != "good morning\n":
        raise RuntimeError(f"the greeting was not written: {trouble}")


def _claude(program: Path, folder: Path, environment: Mapping[str, str]) -> float:
    """Return the seconds for a process of Claude Code."""
    repository.make(folder, ())
    allowed = ["--permission-mode", "acceptEdits", "--allowedTools", "Bash(cat:*)"]
    command = [str(program), "-p", PROMPT, "--output-format", "stream-json", "--verbose", *allowed]
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - begun
    _check(folder, done.stdout if done.returncode else None)
    return taken


def _through_daemon(client: TimingClient, agent: Mapping[str, str]) -> float:
    """Return the seconds from `mux.task.start` to the end of the run."""
    begun = time.perf_counter()
    task = {"prompt": PROMPT, "agents": [agent]}
    client.ask("workspace/executeCommand", {"command": "mux.task.start", "arguments": [task]})
    client.until("mux/runChanged", _has_ended)
    taken = client.arrived - begun
    [run] = client.until_given_back(1)
    if run["reason"] or [file["path"] for file in run["files"]] != [GREETING]:
        raise RuntimeError(f"{agent['agent']} did not do it: {run['reason']}")
    return taken


def _has_ended(params: dict[str, Any]) -> bool:
    return params["run"]["finished"] is not None
