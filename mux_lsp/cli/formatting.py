"""Format tasks and runs as table rows and lines of text."""

from __future__ import annotations

import itertools
import shutil
import sys
import textwrap
import time
from typing import TYPE_CHECKING

from mux_lsp.cli.output import Cell, echo, echo_table, on_terminal
from mux_lsp.cli.text import dollars, duration, one_line
from mux_lsp.core.phrases import count, few_of, few_with_commas
from mux_lsp.core.sanitize import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mux_lsp.lsp.protocol import CheckResult, LeftOutPath, RunShape, TaskShape, TestsShape

MAX_TESTS_SHOWN = 10
"""Maximum number of tests of a kind that are named."""

RUN_HEADERS = ("run", "agent", "state", "time", "files", "lines", "checks", "")

ENDED = frozenset({"finished", "failed", "cancelled", "interrupted"})


def run_row(run: RunShape, now: float, last_line: str = "") -> list[Cell]:
    """Return the row of a run. The last cell is the reason of its state, or the last line of its agent's output."""
    return [
        Cell(run.id),
        Cell(agent_name(run)),
        state_cell(run),
        Cell(elapsed(run, now), "faint"),
        Cell(str(run.file_count)),
        Cell(lines_changed(run)),
        verdict_cell(run),
        Cell(one_line(run.reason or last_line or place_in_queue(run), 200), "faint"),
    ]


def counted(states: Sequence[str]) -> str:
    """Return the number of runs in each state: `2 finished, 1 failed`."""
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def state_cell(run: RunShape) -> Cell:
    """Return the state of a run, or `discarded`."""
    return Cell(run.state, run.state) if run.discarded is None else Cell("discarded", "faint")


def agent_name(run: RunShape, width: int = 28) -> str:
    """Return the agent and its model, cut at `width`: `codex`, `claude:opus`, `sh:make fix`."""
    return one_line(f"{run.agent}:{run.model}" if run.model else run.agent, width)


def place_in_queue(run: RunShape) -> str:
    """Return `place 3 in the queue`, or an empty string."""
    return f"place {run.queue_place} in the queue" if run.state == "queued" and run.queue_place else ""


def elapsed(run: RunShape, now: float) -> str:
    """Return the duration of the run until now or until its end."""
    return "" if run.started is None else duration((run.finished or now) - run.started)


def lines_changed(run: RunShape) -> str:
    """Return the lines changed in all text files: `+3 -1`."""
    return f"+{run.added} -{run.removed}" if run.files else ""


def checks_cell(checks: Sequence[CheckResult]) -> Cell:
    """Return the results of checks as one cell: `passed`, `1 of 2 passed`, `running`."""
    if not checks:
        return Cell("")
    states = [check.state for check in checks]
    if "running" in states:
        return Cell("running", "checking")
    passed = states.count("passed")
    if passed == len(states):
        return Cell("passed", "passed")
    return Cell("failed" if len(states) == 1 else f"{passed} of {len(states)} passed", "failed")


def echo_checks(checks: Sequence[CheckResult]) -> None:
    """Print the result of each check on a line, with its tests if it reported any."""
    for check in checks:
        status = "" if check.exit_status in {None, 0} else f", exit status {check.exit_status}"
        if check.state == "failed" and check.exit_status == 0:
            status = ", without a word of its tests"
        after = "" if check.seconds is None else f" after {duration(check.seconds)}"
        before = {("failed", "failed"): " (before too)", ("failed", "passed"): " (passed before)"}
        told = before.get((check.state, check.baseline_state or ""), "")
        echo(f"  check {check.state}{told}{after}{status}: {one_line(check.command, 200)}", check.state)
        if check.tests is not None:
            echo_tests(check.tests)


def echo_tests(tests: TestsShape) -> None:
    """Print the test results of a check's report."""
    kinds = ((tests.passed, "passed"), (tests.failed, "failed"), (tests.skipped, "skipped"))
    said = ", ".join(f"{number} {kind}" for number, kind in kinds if number)
    echo(f"    tests: {said or 'none'}", "faint")
    for number, what, names in (
        (tests.newly_failing, "passed before", tests.names_failing),
        (tests.newly_passing, "did not pass before", tests.names_passing),
    ):
        if number:
            shown = few_with_commas([visible(name) for name in names], MAX_TESTS_SHOWN, number)
            echo(f"    {number} {what}: {shown}", "faint")


def effective_checks(run: RunShape) -> list[CheckResult]:
    """Return the checks that count for the verdict: with the snapshot's protected files, if the run changed any."""
    return run.restored_checks or run.checks


def verdict_cell(run: RunShape) -> Cell:
    """Return the run's verdict from the checks that count."""
    cell = checks_cell(effective_checks(run))
    if run.tampered and cell.style != "checking" and checks_cell(run.checks).style == "passed":
        return cell if run.restored_checks and cell.style == "passed" else Cell("only with its own tests", "failed")
    return cell


def succeeded(run: RunShape) -> bool:
    """Return whether the run finished and every check passed, also with the snapshot's protected files."""
    checks = [*run.checks, *run.restored_checks]
    honest = not run.tampered or not run.checks or bool(run.restored_checks)
    return run.state == "finished" and honest and all(check.state == "passed" for check in checks)


def tests_changed(run: RunShape) -> str:
    """Return the number of tests that pass and failed on the snapshot, and of the reverse: `+2 -1`."""
    reports = [check.tests for check in effective_checks(run) if check.tests is not None]
    fixed = sum(report.newly_passing - report.added for report in reports)
    return f"+{fixed} -{sum(report.newly_failing for report in reports)}" if reports else ""


def best_first(runs: Sequence[RunShape]) -> list[RunShape]:
    """Return runs by rank, those without a rank last."""
    return sorted(runs, key=lambda run: len(runs) + 1 if run.rank is None else run.rank)


def rank_cell(run: RunShape) -> Cell:
    """Return the rank, with `=` if it is shared: `2=`."""
    if run.rank is None:
        return Cell("")
    return Cell(f"{run.rank}{'=' if run.tied else ''}", "passed" if run.rank == 1 and succeeded(run) else "")


def run_line(run: RunShape, now: float) -> str:
    """Return one sentence about a run: `k3f-1 finished after 4.2s: 2 files, +3 -1, checks passed`."""
    words = f"{run.id} {run.state}"
    if run.state in ENDED and run.started is not None:
        words += f" after {elapsed(run, now)}"
    said = []
    if run.state in ENDED:
        said.append(f"{count(run.file_count, 'file')}, {lines_changed(run)}" if run.files else "no changes")
        if run.checks:
            said.append(f"checks {verdict_cell(run).text}")
    if run.reason:
        said.append(one_line(run.reason, 300))
    elif queued := place_in_queue(run):
        said.append(queued)
    if run.discarded is not None:
        said.append("discarded")
    return f"{words}: {', '.join(said)}" if said else words


def echo_runs(runs: Sequence[RunShape], last_lines: Mapping[str, str] | None = None) -> None:
    """Print runs as a table, the best first if they are ranked."""
    now = time.time()
    rows = [run_row(run, now, (last_lines or {}).get(run.id, "")) for run in best_first(runs)]
    if sum(run.rank is not None for run in runs) < 2:
        echo_table(RUN_HEADERS, rows)
        return
    ranks = map(rank_cell, best_first(runs))
    echo_table(("rank", *RUN_HEADERS), [[rank, *row] for rank, row in zip(ranks, rows, strict=True)])


def echo_why(runs: Sequence[RunShape]) -> None:
    """Print the reasons of the runs' ranks, the best first."""
    ranked = [run for run in best_first(runs) if run.rank is not None]
    if len(ranked) < 2 and not any(run.checks for run in ranked):
        return
    echo("\nWhy:")
    width = max(len(run.id) for run in ranked)
    columns = shutil.get_terminal_size().columns if on_terminal() else sys.maxsize
    # Hundreds of runs without changes share one line.
    for _, alike in itertools.groupby(ranked, key=lambda run: run.id if run.files else (run.rank, run.reasons)):
        run, *others = alike
        begin = f"  {rank_cell(run).text:<3} {run.id:<{width}}  "
        same = [f"The same holds for {few_of([other.id for other in others])}."] if others else []
        words = visible(" ".join([*run.reasons, *same]))
        lines = textwrap.wrap(words, max(20, columns - len(begin)), break_on_hyphens=False)
        echo(begin + f"\n{' ' * len(begin)}".join(lines))
    if any(check.baseline_state in {None, "running"} for run in ranked for check in effective_checks(run)):
        task = ranked[0].task
        echo(f"The checks have not run on the snapshot yet: ranks may change (`mux-lsp show {task}`).", "faint")


def echo_discarded(id_: str, runs: Sequence[RunShape]) -> None:
    """Print which runs were discarded, and until when they can be restored."""
    thrown = [run for run in runs if run.discarded is not None]
    moments = [run.kept_until for run in thrown if run.kept_until is not None]
    if thrown:
        until = f" until {time.strftime('%Y-%m-%d %H:%M', time.localtime(min(moments)))}" if moments else ""
        them = "it" if len(thrown) == 1 else "them"
        names = few_of([run.id for run in thrown])
        echo(f"Discarded: {names}; `mux-lsp restore {id_}` brings {them} back{until}.", "faint")


def echo_left_out(what: str, left_out: Sequence[LeftOutPath]) -> None:
    """Print the paths that could not be taken, each with its reason."""
    if left_out:
        echo(f"Left out of {what}:", "conflict")
        for left in left_out:
            echo(f"  {visible(left.path)}: {one_line(left.reason, 300)}")


def echo_task(task: TaskShape, folder: str) -> None:
    """Print a task with its runs."""
    from datetime import datetime

    created = datetime.fromtimestamp(task.created).astimezone()
    echo(f"{task.id}  {one_line(task.prompt, 100)}", bold=True)
    echo(f"{visible(folder)}, {task.state}, started {created:%Y-%m-%d %H:%M:%S}{_circumstances(task)}", "faint")
    echo_left_out("the snapshot", task.left_out)
    echo_runs(task.runs)
    for run in task.runs:
        echo_left_out(f"the result of {run.id}", run.left_out)
    echo_discarded(task.id, task.runs)
    echo_why(task.runs)


def _circumstances(task: TaskShape) -> str:
    """Return the unusual properties of a task, for its title line."""
    said = [
        f"by the agent of {task.parent}" if task.parent else "",
        "paused" if task.paused else "",
        f"priority {task.priority}" if task.priority else "",
        dollars(task.cost_usd) if task.cost_usd else "",
    ]
    return "".join(f", {words}" for words in said if words)


def echo_next(task: TaskShape, runs: Sequence[RunShape]) -> None:
    """Print the commands that the person may want next."""
    runs = [run for run in runs if run.discarded is None]
    changed = [run for run in best_first(runs) if run.files]
    good = [run for run in changed if succeeded(run)]
    bad = [run for run in runs if run.state != "finished"]
    words = []
    if len(changed) > 1:
        words.append((f"compare {task.id}", "what the runs have in common"))
    if changed:
        best = (good or changed)[0].id
        words.append((f"diff {best}", f"what {best} changed"))
    if good:
        words.append((f"accept {best}", "put it into your working tree (PATH or --hunk ID for a part)"))
        if sum(run.discarded is None for run in task.runs) > 1:
            words.append((f"pick {best}", "the same, and discard the others"))
    for run in runs:
        failed = next(
            (number for number, check in enumerate(effective_checks(run), 1) if check.state == "failed"), None
        )
        if failed is not None and not good:
            words.append((f"log {run.id} --check {failed}", "why the check failed"))
            break
    # A run that did not start has no output, and a cancelled one needs no explanation.
    broken = [run for run in bad if run.state == "failed" and run.exit_status is not None]
    if broken and not good:
        words.append((f"log {broken[0].id} --stderr", "what its agent complained of"))
    if not words:
        return
    width = max(len(command) for command, _ in words)
    echo("\nNext:")
    for command, meaning in words:
        echo(f"  mux-lsp {command:<{width}}   {meaning}")
