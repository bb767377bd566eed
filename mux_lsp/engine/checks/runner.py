"""Run checks: commands whose exit status decides whether a worktree passes.

A check may write a JUnit report of its tests to the file named by `MUX_JUNIT`. pytest does so by itself: the option is
added to `PYTEST_ADDOPTS` in its environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mux_lsp.agents import process
from mux_lsp.agents.environment import scrubbed
from mux_lsp.agents.files import open_to_read
from mux_lsp.core import junit
from mux_lsp.core.model import Check, CheckState
from mux_lsp.engine.repository.command import run_command
from mux_lsp.git.folders import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mux_lsp.engine.repository.command import CommandContext

log = logging.getLogger(__name__)

JUNIT: Final = "junit.xml"
"""Name of a check's report in its folder."""

LARGEST_REPORT: Final = 32_000_000
"""Bytes. Larger reports are ignored."""


async def run_checks(
    commands: Sequence[str], ground: CommandContext, on_event: Callable[[tuple[Check, ...]], object]
) -> tuple[Check, ...]:
    """Run checks one after another in one worktree. Returns fewer checks than `commands` if a person ends them.

    The callback is called as each check begins and ends. No process of theirs is left when this returns or is
    cancelled.
    """
    done: tuple[Check, ...] = ()
    for number, command in enumerate(commands):
        if ground.cancelled.is_set():
            break
        on_event((*done, Check(command, CheckState.RUNNING)))
        check = await _check(ground, number, command)
        if check is not None:
            done = (*done, check)
        on_event(done)
    return done


async def _check(ground: CommandContext, number: int, command: str) -> Check | None:
    """Run one check. Returns None if a person ended it, because it has no result then."""
    run_folder = check_folder(ground.output, number)
    await asyncio.to_thread(_empty, run_folder)
    report = run_folder / JUNIT
    environment = scrubbed(os.environ, ground.folder, ground.without)
    begun = time.monotonic()
    in_time = await run_command(
        command, ground, run_folder, {**environment, **_report_environment(report, environment)}
    )
    if not in_time and ground.cancelled.is_set():
        return None
    status = process.read_exit(run_folder) if in_time else None
    state = CheckState.PASSED if in_time and status == 0 else CheckState.FAILED
    seconds = round(time.monotonic() - begun, 3)
    found = await asyncio.to_thread(read_report, run_folder)
    return Check(command, state, status, seconds, tests=None if found is None else junit.compare(found, None))


def check_folder(folder: Path, number: int) -> Path:
    """Return the folder for a check's output, below the folder of its run or trial."""
    return folder / f"check-{number}"


def _empty(folder: Path) -> None:
    """Empty the folder, because output of the same check on an earlier tree must not be taken for this one's."""
    remove_tree(folder)
    folder.mkdir(parents=True)


def _report_environment(report: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that make test runners write their report to a file."""
    options = environment.get("PYTEST_ADDOPTS", "")
    asked = {"MUX_JUNIT": str(report)}
    if "no:junitxml" not in options:
        asked["PYTEST_ADDOPTS"] = f"{options} {shlex.quote(f'--junitxml={report}')}".strip()
    return asked


def read_report(folder: Path) -> junit.Report | None:
    """Return a check's report of its tests from its folder, or None. For use in a thread."""
    try:
        with open_to_read(folder / JUNIT) as file:
            content = file.read(LARGEST_REPORT + 1)
    except OSError:
        return None
    return None if len(content) > LARGEST_REPORT else junit.read(content)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Results of the checks on a snapshot."""

    checks: tuple[Check, ...]
    reports: tuple[junit.Report | None, ...]
    """Report of the tests of each check, if it wrote one."""


def compare_to_baseline(checks: Sequence[Check], output: Path, baseline: Baseline) -> tuple[Check, ...]:
    """Return a result's checks compared to the baseline. For use in a thread.

    A check that reports tests on the snapshot but none here has failed, whatever its exit status: the code under test
    may have ended it before any test ran.
    """
    found = []
    for number, check in enumerate(checks):
        if check.state is not CheckState.RUNNING and number < len(baseline.checks):
            report, before = read_report(check_folder(output, number)), baseline.reports[number]
            tests = None if report is None else junit.compare(report, before)
            state = CheckState.FAILED if report is None and before is not None else check.state
            found.append(replace(check, state=state, baseline_state=baseline.checks[number].state, tests=tests))
        else:
            found.append(check)
    return tuple(found)
