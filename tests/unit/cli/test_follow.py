"""Test how the daemon's notifications become known runs, and sentences about them."""

from __future__ import annotations

from typing import Any

import pytest

from mux_lsp.cli.follow import Board
from mux_lsp.cli.formatting import checks_cell, run_line, run_row, succeeded
from mux_lsp.lsp.protocol import CheckResult, FileSummary, RunShape


class FakeClient:
    """The part of a client that a board uses."""

    notified: Any = None


def make_run(id_: str = "k3f-1", state: str = "running", **changes: object) -> RunShape:
    values: dict[str, object] = {
        "id": id_,
        "task": "k3f",
        "agent": "codex",
        "model": None,
        "state": state,
        "reason": None,
        "files": [],
        "file_count": 0,
        "added": 0,
        "removed": 0,
        "hunks": 0,
        "result": None,
        "checks": [],
        "tampered": [],
        "restored_checks": [],
        "left_out": [],
        "worktree": None,
        "exit_status": None,
        "cost_usd": None,
        "tokens": None,
        "started": 100.0,
        "finished": None,
        "discarded": None,
        "kept_until": None,
        "queue_place": None,
        "rank": None,
        "tied": [],
        "reasons": [],
    }
    return RunShape.model_validate(values | changes)


def make_check(state: str) -> CheckResult:
    values = {"command": "make test", "state": state, "exit_status": None, "seconds": None}
    return CheckResult.model_validate({**values, "baseline_state": None, "tests": None})


def told(client: FakeClient, run: RunShape, previous: str) -> None:
    client.notified("mux/runChanged", {"run": run.model_dump(), "previous": previous})


def test_what_was_told_is_newer_than_the_answer() -> None:
    client = FakeClient()
    board = Board(client)  # type: ignore[arg-type]  # all it needs of a client
    told(client, make_run(state="finished"), "running")
    board.known([make_run(state="queued"), make_run("k3f-2", "queued")])
    assert {run.id: run.state for run in board.runs.values()} == {"k3f-1": "finished", "k3f-2": "queued"}


def test_only_another_state_is_worth_a_line() -> None:
    client = FakeClient()
    board = Board(client)  # type: ignore[arg-type]  # all it needs of a client
    told(client, make_run(state="running", hunks=3), "running")
    told(client, make_run(state="checking"), "running")
    assert [run.state for run in board.changed] == ["checking"]


def test_the_last_line_an_agent_printed() -> None:
    client = FakeClient()
    board = Board(client)  # type: ignore[arg-type]  # all it needs of a client
    for text in ("one\ntwo\n", "\n", "three \x1b[2J\n\n"):
        client.notified("mux/runOutput", {"run": "k3f-1", "stream": "stdout", "offset": 0, "text": text})
    assert board.last_lines == {"k3f-1": "three \\x1b[2J"}


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (make_run(state="queued", started=None), "k3f-1 queued"),
        (make_run(state="running"), "k3f-1 running"),
        (make_run(state="finished", finished=104.2), "k3f-1 finished after 4.2s: no changes"),
        (
            make_run(
                state="finished",
                finished=104.2,
                files=[FileSummary(path="a", old_path=None, change="modified", added=3, removed=1)],
                file_count=1200,
                added=30,
                removed=1,
                checks=[make_check("passed"), make_check("failed")],
            ),
            "k3f-1 finished after 4.2s: 1200 files, +30 -1, checks 1 of 2 passed",
        ),
        (
            make_run(state="failed", finished=101.0, reason="exit \x1b[2J"),
            "k3f-1 failed after 1.0s: no changes, exit \\x1b[2J",
        ),
        (
            make_run(
                state="cancelled",
                started=None,
                files=[FileSummary(path="a", old_path=None, change="added", added=None, removed=None)],
                file_count=1,
            ),
            "k3f-1 cancelled: 1 file, +0 -0",
        ),
    ],
)
def test_a_run_in_one_line(run: RunShape, line: str) -> None:
    assert run_line(run, 105.0) == line


def test_a_row_says_why_or_what_was_printed_last() -> None:
    assert run_row(make_run(), 103.0, "thinking")[-1].text == "thinking"
    assert run_row(make_run(state="failed", reason="it ended"), 103.0, "thinking")[-1].text == "it ended"
    assert run_row(make_run(), 103.0)[3].text == "3.0s"


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ([], ""),
        (["passed"], "passed"),
        (["failed"], "failed"),
        (["passed", "failed", "passed"], "2 of 3 passed"),
        (["passed", "running"], "running"),
    ],
)
def test_checks(states: list[str], text: str) -> None:
    assert checks_cell([make_check(state) for state in states]).text == text


@pytest.mark.parametrize(
    ("state", "checks", "good"),
    [
        ("finished", [], True),
        ("finished", ["passed"], True),
        ("finished", ["passed", "failed"], False),
        ("failed", [], False),
        ("cancelled", ["passed"], False),
    ],
)
def test_success_is_to_finish_and_pass_every_check(state: str, checks: list[str], good: bool) -> None:
    assert succeeded(make_run(state=state, checks=[make_check(each) for each in checks])) is good
