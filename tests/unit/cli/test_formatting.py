"""Test ranked runs as tables and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mux_lsp.cli import formatting
from mux_lsp.cli.formatting import succeeded
from mux_lsp.lsp.protocol import CheckResult, RunShape, TaskShape
from tests.unit.cli.test_follow import make_check, make_run

if TYPE_CHECKING:
    from collections.abc import Sequence


def ranked_run(number: int, rank: int | None, tied: Sequence[str] = (), **changes: object) -> RunShape:
    return make_run(f"k3f-{number}", "finished", rank=rank, tied=list(tied), **changes)


def reported(state: str, fixed: int, broken: int, added: int = 0) -> CheckResult:
    told = {
        "passed": 3, "failed": 0, "skipped": 0, "newly_passing": fixed + added, "added": added,
        "newly_failing": broken, "names_passing": [], "names_failing": [],
    }  # fmt: skip
    return CheckResult.model_validate({**make_check(state).model_dump(), "tests": told})


@pytest.mark.parametrize(
    ("checks", "tampered", "restored", "shown", "good"),
    [
        (["passed"], [], [], "passed", True),
        (["passed"], ["t"], ["passed"], "passed", True),
        (["passed"], ["t"], ["failed"], "only with its own tests", False),
        (["passed"], ["t"], [], "only with its own tests", False),
        (["failed"], ["t"], ["passed"], "passed", False),
        (["failed"], ["t"], ["failed"], "failed", False),
        (["failed", "passed"], [], [], "1 of 2 passed", False),
        ([], ["t"], [], "", True),
        (["running"], ["t"], [], "running", False),
    ],
)
def test_checks_count_with_what_judges_as_it_was(
    checks: list[str], tampered: list[str], restored: list[str], shown: str, good: bool
) -> None:
    run = make_run(
        state="finished",
        checks=[make_check(each) for each in checks],
        tampered=tampered,
        restored_checks=[make_check(each) for each in restored],
    )
    assert formatting.verdict_cell(run).text == shown
    assert succeeded(run) is good


def test_tests_that_changed_are_counted_without_its_own() -> None:
    assert formatting.tests_changed(make_run(checks=[reported("passed", 2, 1, added=5)])) == "+2 -1"
    assert formatting.tests_changed(make_run(checks=[make_check("passed")])) == ""
    restored = make_run(checks=[reported("passed", 9, 0)], tampered=["t"], restored_checks=[reported("failed", 0, 3)])
    assert formatting.tests_changed(restored) == "+0 -3"


def test_ranked_runs_come_best_first_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        ranked_run(1, None),
        ranked_run(2, 3, reasons=["Fails `x\x1b`."]),
        ranked_run(3, 1, ["k3f-4"], reasons=["Passes.", "As good as k3f-4."]),
        ranked_run(4, 1, ["k3f-3"], reasons=["Passes."]),
    ]
    formatting.echo_runs(runs)
    formatting.echo_why(runs)
    out = capsys.readouterr().out
    assert [line.split()[:2] for line in out.splitlines()[:5]] == [
        ["RANK", "RUN"], ["1=", "k3f-3"], ["1=", "k3f-4"], ["3", "k3f-2"], ["k3f-1", "codex"],
    ]  # fmt: skip
    assert out.endswith(
        "\nWhy:\n  1=  k3f-3  Passes. As good as k3f-4.\n  1=  k3f-4  Passes.\n  3   k3f-2  Fails `x\\x1b`.\n"
    )


def test_one_run_alone_has_no_rank_and_its_reasons_only_where_there_are_checks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    formatting.echo_runs([ranked_run(1, 1)])
    formatting.echo_why([ranked_run(1, 1, reasons=["No check has judged it."])])
    formatting.echo_why([])
    assert "RANK" not in (out := capsys.readouterr().out)
    assert "Why" not in out
    formatting.echo_why([ranked_run(1, 1, checks=[make_check("passed")], reasons=["Passes the check."])])
    assert "Passes the check." in (out := capsys.readouterr().out)
    assert "ranks may change (`mux-lsp show k3f`)" in out
    known = make_check("passed").model_copy(update={"baseline_state": "failed"})
    formatting.echo_why([ranked_run(1, 1, checks=[known], reasons=["Passes the check."])])
    assert "may change" not in capsys.readouterr().out


def test_reasons_are_wrapped_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    formatting.echo_why([ranked_run(1, 1, reasons=["word " * 12]), ranked_run(2, 2, reasons=["x"])])
    first, second = capsys.readouterr().out.splitlines()[2:4]
    assert first == "  1   k3f-1  word word word word word word word"
    assert second == "             word word word word word"


def test_it_is_said_how_to_see_why_a_check_failed_also_of_a_run_that_changed_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = ranked_run(1, 1, checks=[make_check("failed")])
    formatting.echo_next(TaskShape.model_construct(id="k3f", runs=[run]), [run])
    assert capsys.readouterr().out == "\nNext:\n  mux-lsp log k3f-1 --check 1   why the check failed\n"


def test_of_runs_that_changed_nothing_it_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = [ranked_run(number, 2, ["k3f-9"], reasons=["Changed nothing."]) for number in range(2, 5)]
    formatting.echo_why([ranked_run(1, 1, reasons=["Passes."]), *nothing])
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  1   k3f-1  Passes.",
        "  2=  k3f-2  Changed nothing. The same holds for k3f-3 and k3f-4.",
    ]


def test_the_best_run_is_recommended(capsys: pytest.CaptureFixture[str]) -> None:
    file = {"path": "a", "old_path": None, "change": "modified", "added": 1, "removed": 0}
    runs = [ranked_run(1, 2, files=[file], file_count=1), ranked_run(2, 1, files=[file], file_count=1)]
    task = TaskShape.model_construct(id="k3f", runs=runs)
    formatting.echo_next(task, runs)
    out = capsys.readouterr().out
    assert "mux-lsp accept k3f-2" in out
    assert "k3f-1" not in out
