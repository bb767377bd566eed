"""Run the demonstration step by step. Every command is really run, and every claim is checked."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mux_lsp import paths
from mux_lsp.cli.demo import sample
from mux_lsp.cli.demo.agents import AGENTS
from mux_lsp.cli.output import echo
from mux_lsp.cli.text import duration
from mux_lsp.daemon.admission import agent_around
from mux_lsp.errors import MuxError
from mux_lsp.git.command import git

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHECK = "python3 -m unittest -q"

PROMPT = "The last page is missing: 41 entries fill 3 pages, and each has its link. Make the tests pass."


@dataclass(frozen=True, slots=True)
class Stage:
    """The setting of the demonstration: its own home folder, and the repository in it."""

    folder: Path
    root: Path
    environment: dict[str, str] = field(repr=False)


def tell(chosen: str | None, *, keep: bool) -> int:
    """Show all steps. Return 0, or raise MuxError if a claim is false.

    `chosen` names the agent whose result is accepted instead of the best one's.
    """
    if (agent := agent_around()) is not None:
        raise MuxError(
            f"the demonstration decides in your place, and {agent} has started it: "
            "run `mux-lsp demo` yourself, in a terminal of your own"
        )
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mux-")).resolve()
    try:
        stage = Stage(folder, sample.make_repository(folder), _environment(folder))
        with _models(stage) as url:
            sample.write_configuration(folder, url)
            _play(stage, chosen)
    finally:
        _clear_away(folder, keep=keep)
    _yours(time.monotonic() - begun)
    return 0


@contextlib.contextmanager
def _models(stage: Stage) -> Iterator[str]:
    """Run the server with the models' answers. Yield its address."""
    script = sample.write_script(stage.folder)
    with subprocess.Popen(
        _command("replay", str(script)), env=stage.environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None  # noqa: S101  # asked for above
            url = server.stdout.readline().strip()
            _claim(url.startswith("http://127.0.0.1:"), "the server of the three models runs")
            yield url
        finally:
            server.terminate()


def _clear_away(folder: Path, *, keep: bool) -> None:
    from mux_lsp.daemon.client import request_stop

    try:
        request_stop(home=paths.Home(f"{folder}/config", f"{folder}/state"))
    finally:
        if keep:
            echo(f"\nEverything is still in {folder}.")
        else:
            shutil.rmtree(folder)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUX_", "GIT_"))}
    # The check uses `python3` as a user would; it must be found on any machine that runs this.
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | {"MUX_LSP_HOME": str(folder), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _play(stage: Stage, chosen: str | None) -> None:
    _title("A repository with work in progress")
    echo("A setting is edited but not committed, and there is a new test, which fails.")
    _git(stage, "status", "--short")
    _claim(not _check(stage), "the test fails before anybody has worked on it")
    before = sample.fingerprint(stage.root / ".git")
    tree = sample.fingerprint(stage.root)

    _title("Three agents, at once, each in a hidden worktree of what you see")
    echo("mux-lsp's own agent and its tools, for real; only the models' words come from a script on this machine.")
    asked = [word for name in AGENTS for word in ("-a", name)]
    status = _mux(stage, "run", PROMPT, *asked, "--check", CHECK)
    _claim(status == 0, "a run passes its check")
    echo("\nplus-one is wrong. edit-test changed your test until it passed; with the test as you had it, it fails.")
    task = _json(stage, "list")["tasks"][-1]
    runs = {run["agent"]: run for run in task["runs"]}
    _claim(
        [_verdicts(runs[name]) for name in AGENTS] == [["passed"], ["failed"], ["passed", "failed"]],
        "ceil passes the check, plus-one does not, and edit-test only with its own version of the test",
    )
    _claim(runs["edit-test"]["tampered"] == ["test_pages.py"], "edit-test is known to have changed the test")
    _claim(runs["ceil"]["rank"] == 1, "ceil is ranked first")
    _claim(sample.fingerprint(stage.root) == tree, "your files are as they were")

    _title("What each of them changed")
    for run in task["runs"]:
        echo(f"{run['agent']}:")
        _mux(stage, "diff", run["id"])

    _title("How one of them came to it")
    _mux(stage, "log", runs["ceil"]["id"])

    _title("Where they agree, and differ")
    _mux(stage, "compare", task["id"])

    best = runs[chosen or "ceil"]
    _title(f"You take the result of {best['agent']}, hunk by hunk")
    echo("It is ranked first." if not chosen else "You asked for it.")
    echo("Meanwhile you have gone on typing: the lines above are others than those the agents saw.")
    sample.go_on_typing(stage.root)
    echo("Would your files, as they are now, pass with it? Nothing is written to find out.")
    tree = sample.fingerprint(stage.root)
    _claim(_mux(stage, "verify", best["id"]) == 0, f"your files pass the check with what {best['agent']} changed")
    _claim(sample.fingerprint(stage.root) == tree, "your files are as they were")
    _accept(stage, task["id"], best["id"])
    _git(stage, "diff")
    text = (stage.root / "pages.py").read_text(encoding="utf-8")
    _claim(
        text.startswith(sample.TYPED_LATER) and "\nPER_PAGE = 20\n" in text, "both of your own edits are still there"
    )
    _claim(_check(stage), "the test passes in your working tree")
    _claim(_mux(stage, "discard", task["id"], "--keep", best["id"]) == 0, "the other runs can be thrown away")

    _title("Your .git is what it was")
    after = sample.fingerprint(stage.root / ".git")
    echo(f"before  {before[0]} files  sha256 {before[1][:32]}")
    echo(f"after   {after[0]} files  sha256 {after[1][:32]}")
    _claim(before == after, ".git is the same, byte for byte")


def _accept(stage: Stage, task: str, run: str) -> None:
    for file in _json(stage, "compare", task)["files"]:
        for hunk, sharing in file["hunks"].items():
            if run in sharing:
                _claim(_mux(stage, "accept", run, "--hunk", hunk) == 0, f"{hunk} is accepted")


def _verdicts(run: dict[str, Any]) -> list[str]:
    """Return the result of its check, and then that with the original test, if the run changed the test."""
    return [check["state"] for check in (*run["checks"], *run["restored_checks"])]


def _yours(seconds: float) -> None:
    echo(
        f"\nAll of this was real, and took {duration(seconds)}. Now with your own agent, in a repository of your own:",
        bold=True,
    )
    echo(
        """
  ANTHROPIC_API_KEY=… mux-lsp run "what is to be done" --check 'make test'
  mux-lsp run "what is to be done" -a 'claude*3' -a codex --check 'make test'

The first is the agent you saw, with a real model. `mux-lsp agents` lists those that you have. Any command line is one
too: -a 'sh:my-script {prompt}'."""
    )


# Running and checking


def _title(text: str) -> None:
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    echo(f"\n── {text} {'─' * (width - len(text) - 4)}", "running", bold=True)


def _typed(words: Sequence[str]) -> None:
    echo(f"$ {shlex.join(words)}", bold=True)


def _mux(stage: Stage, *arguments: str) -> int:
    """Run one of our own commands as a user would, on the same terminal. Return its exit status."""
    _typed(["mux-lsp", *arguments])
    return subprocess.run(_command(*arguments), cwd=stage.root, env=stage.environment, check=False).returncode


def _json(stage: Stage, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        _command(*arguments, "--json"), cwd=stage.root, env=stage.environment, check=False, stdout=subprocess.PIPE
    )
    _claim(done.returncode == 0, f"mux-lsp {arguments[0]} works")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "mux_lsp", *arguments]


def _git(stage: Stage, *arguments: str) -> None:
    _typed(["git", *arguments])
    echo(git(list(arguments), folder=stage.root).decode().rstrip("\n"))


def _check(stage: Stage) -> bool:
    _typed(shlex.split(CHECK))
    done = subprocess.run(
        shlex.split(CHECK), cwd=stage.root, env=stage.environment, check=False, capture_output=True, text=True
    )
    echo(done.stderr.strip().splitlines()[-1], "passed" if done.returncode == 0 else "failed")
    return done.returncode == 0


def _claim(holds: bool, claim: str) -> None:
    if not holds:
        raise MuxError(f"The demonstration is not as it claims: it is not true that {claim}.")
