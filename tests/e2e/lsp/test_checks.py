"""Test the checks that an editor is shown: of results, of the snapshot, and with the original protected files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.lsp import protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.lsp.client import Editor


async def test_failures_of_the_snapshot_are_not_blamed_and_a_cheat_is_caught(editor: Editor, repository: Path) -> None:
    (repository / "tests").mkdir()
    (repository / "tests" / "all.sh").write_text(
        "if grep -q two numbers.txt; then failed=; else failed='<failure/>'; fi\n"
        "echo \"<testsuite><testcase name='two'>$failed</testcase></testsuite>\" > $MUX_JUNIT\n"
        "echo as it was; test -z $failed\n"
    )
    right, cheat = "sed -i 's/^line 2$/two/' numbers.txt", "echo 'echo mine' > tests/all.sh"
    task = await editor.done("echo more >> numbers.txt", right, cheat, checks=["sh tests/all.sh", "false", "true"])

    def told() -> list[protocol.RunShape]:
        runs = [editor.runs[run.id] for run in task.runs]
        return runs if all(check.baseline_state for run in runs for check in run.checks) else []

    idle, good, bad = await editor.until(told)
    before = ["failed", "failed", "passed"]
    assert [check.baseline_state for check in idle.checks] == before
    assert [check.state for check in idle.checks] == before
    assert (idle.tampered, idle.restored_checks) == ([], [])
    assert [check.state for check in good.checks] == ["passed", "failed", "passed"]
    tests = good.checks[0].tests
    assert tests is not None
    assert (tests.passed, tests.newly_passing, tests.names_passing) == (1, 1, ["two"])
    assert bad.tampered == ["tests/all.sh"]
    # Its replacement of the tests passes, without the tests that the check had.
    assert [check.state for check in bad.checks] == ["failed", "failed", "passed"]
    assert [(check.state, check.baseline_state) for check in bad.restored_checks] == list(
        zip(before, before, strict=True)
    )
    for on, printed in (("result", "mine\n"), ("restored", "as it was\n"), ("snapshot", "as it was\n")):
        answer = await editor.command("mux.run.log", protocol.RunLogResult, run=bad.id, check=0, on=on)
        assert answer.text == printed
    # The task first had its checks running on the snapshot, and then their results.
    await editor.until(lambda: [check.state for check in editor.tasks[task.id].baseline] == before)
    told_of = [one.task.baseline for one in editor.told_of(protocol.TaskChangedParams) if one.task.id == task.id]
    assert ["running"] * 3 in [[check.state for check in baseline] for baseline in told_of]
