"""Tasks and runs as rows of a table and lines of text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mux_lsp.cli.output import Cell, say, say_table
from mux_lsp.cli.text import count, duration, one_line, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mux_lsp.lsp.protocol import CheckResult, LeftOutPath, RunShape, TaskShape

RUN_HEADERS = ("run", "agent", "state", "time", "files", "lines", "checks", "")

ENDED = frozenset({"finished", "failed", "cancelled", "interrupted"})


def run_row(run: RunShape, now: float, last_line: str = "") -> list[Cell]:
    """One run. The last cell says why it is in its state, or what its agent printed last."""
    return [
        Cell(run.id),
        Cell(agent_name(run)),
        Cell(run.state, run.state),
        Cell(elapsed(run, now), "faint"),
        Cell(str(run.file_count)),
        Cell(lines_changed(run)),
        checks_cell(run.checks),
        Cell(one_line(run.reason or last_line, 200), "faint"),
    ]


def agent_name(run: RunShape, width: int = 28) -> str:
    """`codex`, `claude:opus`, `sh:make fix`."""
    return one_line(f"{run.agent}:{run.model}" if run.model else run.agent, width)


def elapsed(run: RunShape, now: float) -> str:
    """How long the run has worked, or did."""
    return "" if run.started is None else duration((run.finished or now) - run.started)


def lines_changed(run: RunShape) -> str:
    """`+3 -1` over all files that are text."""
    return f"+{run.added} -{run.removed}" if run.files else ""


def checks_cell(checks: Sequence[CheckResult]) -> Cell:
    """`passed`, `1 of 2 passed`, `running`."""
    if not checks:
        return Cell("")
    states = [check.state for check in checks]
    if "running" in states:
        return Cell("running", "checking")
    passed = states.count("passed")
    if passed == len(states):
        return Cell("passed", "passed")
    return Cell("failed" if len(states) == 1 else f"{passed} of {len(states)} passed", "failed")


def succeeded(run: RunShape) -> bool:
    """Whether the run finished and every check of it passed."""
    return run.state == "finished" and all(check.state == "passed" for check in run.checks)


def run_line(run: RunShape, now: float) -> str:
    """One run in plain words: `k3f-1 finished after 4.2s: 2 files, +3 -1, checks passed`."""
    words = f"{run.id} {run.state}"
    if run.state in ENDED and run.started is not None:
        words += f" after {elapsed(run, now)}"
    said = []
    if run.state in ENDED:
        said.append(f"{count(run.file_count, 'file')}, {lines_changed(run)}" if run.files else "no changes")
        if run.checks:
            said.append(f"checks {checks_cell(run.checks).text}")
    if run.reason:
        said.append(one_line(run.reason, 300))
    return f"{words}: {', '.join(said)}" if said else words


def say_runs(runs: Sequence[RunShape], last_lines: Mapping[str, str] | None = None) -> None:
    """Print runs as a table."""
    now = time.time()
    say_table(RUN_HEADERS, [run_row(run, now, (last_lines or {}).get(run.id, "")) for run in runs])


def say_left_out(what: str, left_out: Sequence[LeftOutPath]) -> None:
    """Name what could not be taken, each with its reason."""
    if left_out:
        say(f"Left out of {what}:", "conflict")
        for left in left_out:
            say(f"  {visible(left.path)}: {one_line(left.reason, 300)}")


def say_task(task: TaskShape, folder: str) -> None:
    """Print a whole task."""
    from datetime import datetime

    created = datetime.fromtimestamp(task.created).astimezone()
    say(f"{task.id}  {one_line(task.prompt, 100)}", bold=True)
    say(f"{visible(folder)}, {task.state}, started {created:%Y-%m-%d %H:%M:%S}", "faint")
    say_left_out("the snapshot", task.left_out)
    say_runs(task.runs)
    for run in task.runs:
        say_left_out(f"the result of {run.id}", run.left_out)


def say_next(task: TaskShape, runs: Sequence[RunShape]) -> None:
    """Print the commands that a person may want now."""
    changed = [run for run in runs if run.files]
    good = [run for run in changed if succeeded(run)]
    bad = [run for run in runs if run.state != "finished"]
    best = next(iter(good or changed or bad), None)
    if best is None:
        return
    words = []
    if len(changed) > 1:
        words.append((f"compare {task.id}", "what the runs have in common"))
    if changed:
        words.append((f"diff {best.id}", f"what {best.id} changed"))
    if good:
        words.append((f"accept {best.id}", "put it into your working tree (PATH or --hunk ID for a part)"))
    for run in runs:
        failed = next((number for number, check in enumerate(run.checks, 1) if check.state == "failed"), None)
        if failed is not None and not good:
            words.append((f"log {run.id} --check {failed}", "why the check failed"))
            break
    # One that did not start has said nothing, and one that was cancelled has nothing to explain.
    broken = [run for run in bad if run.state == "failed" and run.exit_status is not None]
    if broken and not good:
        words.append((f"log {broken[0].id} --stderr", "what its agent complained of"))
    if not words:
        return
    width = max(len(command) for command, _ in words)
    say("\nNext:")
    for command, meaning in words:
        say(f"  mux-lsp {command:<{width}}   {meaning}")
