"""Test the conversion of the core's types to the wire types."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from lsprotocol import types

from mux_lsp.core.model import (
    ChangeKind,
    Check,
    CheckState,
    FileChange,
    LeftOut,
    Run,
    RunState,
    Snapshot,
    Task,
    Tests,
)
from mux_lsp.core.text import PositionEncoding, split_lines
from mux_lsp.engine.state.events import ReviewChanged
from mux_lsp.engine.state.run_summary import NO_SUMMARY, RunSummary
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import uri_of

CHANGE = FileChange("caf\udce9.txt", ChangeKind.ADDED, 0, 0o100644, "", "2" * 40, 1, 0)
RUN = Run(
    "k3f-1",
    "k3f",
    "sh:true",
    None,
    RunState.FAILED,
    reason="it \x1b[31mfailed\u202e",
    files=(CHANGE,),
    hunks=1,
    checks=(
        Check(
            "make",
            CheckState.FAILED,
            2,
            1.5,
            CheckState.PASSED,
            Tests(3, 1, newly_failing=1, names_failing=("t\u202e",)),
        ),
    ),
    tampered=("test\udce9.py",),
    left_out=(LeftOut("caf\udce9", "too big"),),
    pid=7,
    exit_status=3,
    started=1.0,
)


def _no_standing(_: Run) -> RunSummary:
    return NO_SUMMARY


def test_a_run_says_what_it_is_and_nothing_of_how_it_is_carried_out() -> None:
    shape = convert.run_shape(RUN).model_dump()
    json.dumps(shape).encode()  # no half characters
    assert shape["files"] == [{"path": "caf\\xe9.txt", "old_path": None, "change": "added", "added": 1, "removed": 0}]
    assert shape["left_out"] == [{"path": "caf\\xe9", "reason": "too big"}]
    assert shape["reason"] == "it failed<U+202E>"
    tests = {
        "passed": 3,
        "failed": 1,
        "skipped": 0,
        "newly_passing": 0,
        "added": 0,
        "newly_failing": 1,
        "names_passing": [],
        "names_failing": ["t<U+202E>"],
    }
    check = {
        "command": "make",
        "state": "failed",
        "exit_status": 2,
        "seconds": 1.5,
        "baseline_state": "passed",
        "tests": tests,
    }
    assert (shape["checks"], shape["restored_checks"]) == ([check], [])
    assert shape["tampered"] == ["test\\xe9.py"]
    assert not {"pid", "port", "base", "pid_created"} & set(shape)


def test_of_very_many_files_the_first_are_named_and_all_are_counted() -> None:
    many = tuple(
        FileChange(f"{number:04}", ChangeKind.ADDED, 0, 0o100644, "", "2" * 40, None if number == 7 else 2, 1)
        for number in range(1000)
    )
    run = replace(RUN, files=many)
    told = convert.run_shape(run)
    assert [file.path for file in told.files] == [f"{number:04}" for number in range(protocol.MAX_RUN_FILES)]
    assert (told.file_count, told.added, told.removed) == (1000, 2 * 999, 1000)
    assert len(convert.run_shape(run, most=None).files) == 1000
    event = ReviewChanged("/r", frozenset(change.path for change in many))
    _, params = convert.notification(event, _no_standing, uri_of)
    assert isinstance(params, protocol.ReviewChangedParams)
    assert (params.uris[0], params.uris[-1], len(params.uris), params.more) == (
        "file:///r/0000",
        "file:///r/0199",
        200,
        800,
    )


@pytest.mark.parametrize("state", list(RunState))
def test_every_state_has_its_name_on_the_wire(state: RunState) -> None:
    run = Run("k3f-1", "k3f", "a", "m", state)
    assert convert.run_shape(run).state == state.value
    task = Task("k3f", "p", "/r", "", 1.0, runs=(run,))
    assert convert.task_shape(task, _no_standing).state == ("ended" if state.ended else "running")


def test_a_task_without_a_snapshot_and_with_one() -> None:
    task = Task("k3f", "p", "/a b/\udce9", "sub", 1.0)
    shape = convert.task_shape(task, _no_standing)
    assert (shape.repository, shape.snapshot, shape.left_out) == ("file:///a%20b/%E9", None, [])
    snapshot = Snapshot("1" * 40, "2" * 40, None, (LeftOut("big", "over 20 MB"),))
    shape = convert.task_shape(Task("k3f", "p", "/r", "", 1.0, snapshot), _no_standing)
    assert (shape.snapshot, shape.left_out) == ("1" * 40, [protocol.LeftOutPath(path="big", reason="over 20 MB")])


@pytest.mark.parametrize(
    ("text", "start", "end", "encoding", "expected"),
    [
        ("a\nb\n", 0, 1, "utf-16", ((0, 0), (1, 0))),
        ("a\nb\n", 1, 2, "utf-16", ((1, 0), (2, 0))),
        ("a\nb\n", 2, 2, "utf-16", ((2, 0), (2, 0))),
        ("a\n😀é", 1, 2, "utf-8", ((1, 0), (1, 6))),
        ("a\n😀é", 1, 2, "utf-16", ((1, 0), (1, 3))),
        ("a\n😀é", 2, 2, "utf-32", ((1, 2), (1, 2))),
        ("", 0, 0, "utf-16", ((0, 0), (0, 0))),
    ],
)
def test_ranges_of_lines(
    text: str, start: int, end: int, encoding: str, expected: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    first, last = expected
    wanted = types.Range(types.Position(*first), types.Position(*last))
    found = convert.lines_range(split_lines(text), start, end, PositionEncoding(encoding))
    assert found == wanted
    assert convert.wire_range(found).model_dump() == {
        "start": {"line": first[0], "character": first[1]},
        "end": {"line": last[0], "character": last[1]},
    }
