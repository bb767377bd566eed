"""Test when the remaining attempts can be skipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mux_lsp.core.model import ChangeKind, Check, CheckState, FileChange, Run, RunState, Task
from mux_lsp.engine.scheduling.early_stop import consensus_reason

PASSED = Check("test", CheckState.PASSED, baseline_state=CheckState.FAILED)
FAILED = replace(PASSED, state=CheckState.FAILED)


def result(name: str) -> tuple[FileChange, ...]:
    return (FileChange("f.txt", ChangeKind.MODIFIED, 0o100644, 0o100644, "0" * 40, name * 40),) if name else ()


def run(name: str, check: Check = PASSED, state: RunState = RunState.FINISHED, **more: object) -> Run:
    made = Run("", "k3f", "a", None, state, files=result(name), checks=(check,))
    return replace(made, **more)  # type: ignore[arg-type]  # checked by replace


@pytest.mark.parametrize(
    ("enough", "runs", "said"),
    [
        (2, [run("a"), run("b"), run("a")], "enough: k3f-1, k3f-3 have the same good result"),
        (1, [run("a"), run("b")], "enough: k3f-1 has a good result"),
        (2, [run("a"), run("b")], None),
        (None, [run("a"), run("a")], None),
        (3, [run("a"), run("a")], None),
        (2, [run("a"), run("a", FAILED)], None),
        (2, [run("a"), run("a", restored_checks=(FAILED,))], None),
        (2, [run("a", FAILED, restored_checks=(PASSED,)), run("a")], "enough: k3f-1, k3f-2 have the same good result"),
        (2, [run("a"), run("a", state=RunState.FAILED)], None),
        (2, [run("a"), run("a", state=RunState.RUNNING)], None),
        (2, [run("a"), run("a", discarded=1.0)], None),
        (2, [run("a"), run("a", replace(PASSED, baseline_state=None))], None),
        (2, [run(""), run("")], None),
        (1, [run("")], None),
        (2, [run("a", checks=()), run("a", checks=())], "enough: k3f-1, k3f-2 have the same good result"),
    ],
)
def test_enough(enough: int | None, runs: list[Run], said: str | None) -> None:
    there = [*runs, run("", state=RunState.RUNNING)]
    numbered = tuple(replace(one, id=f"k3f-{number}") for number, one in enumerate(there, 1))
    assert consensus_reason(Task("k3f", "x", "/shop", "", 0.0, stop_after=enough, runs=numbered)) == said


def test_with_nothing_left_to_spare_nothing_is_said() -> None:
    runs = tuple(replace(run("a"), id=f"k3f-{number}") for number in (1, 2))
    assert consensus_reason(Task("k3f", "x", "/shop", "", 0.0, stop_after=1, runs=runs)) is None
