"""Test verifying the text on the screen, or the text after an accept: with a real daemon, from an editor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Editor, Refused
from tests.support.home import in_worktrees
from tests.support.person import fingerprint
from tests.support.signals import signals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.home import IsolatedHome

TWO = "grep -qx two numbers.txt"
NO_BAD = "! grep -n bad numbers.txt"
FIRST = "sed -i 's/^line 2$/two/; s/^line 9$/bad/' numbers.txt"
SECOND = "sed -i 's/^line 15$/bad/' numbers.txt"


async def verify(editor: Editor, **argument: Any) -> protocol.VerifyResult:
    return await editor.command("mux.verify", protocol.VerifyResult, **argument)


def states(result: protocol.VerifyResult) -> list[str]:
    return [check.state for check in result.verdict.checks]


async def stale(editor: Editor, *, is_stale: bool) -> None:
    """Wait until the last notification of the editor's verdict has this state."""
    await editor.until(
        lambda: (told := editor.told_of(protocol.VerdictChangedParams)) and told[-1].verdict.stale is is_stale
    )


async def said_by_status(editor: Editor) -> protocol.VerdictShape | None:
    status = await editor.command("mux.status", protocol.StatusResult)
    found = [one for one in status.repositories if one.repository == editor.folder.as_uri()]
    return found[0].verdict if found else None


async def test_a_mix_that_passes_and_one_that_fails(editor: Editor, repository: Path) -> None:
    before = fingerprint(repository)
    task = await editor.done(FIRST, SECOND, checks=[TWO, NO_BAD])
    first, second = task.runs
    editor.open("numbers.txt")
    hunks = {item.added: item.hunk for item in await editor.review("numbers.txt", first.id)}
    # The default is the checks of the newest task.
    assert states(await verify(editor)) == ["failed", "passed"]
    await editor.accept("hunk", run=first.id, hunks=[hunks["two\n"]])
    mixed = await verify(editor)
    assert (states(mixed), mixed.verdict.passed, mixed.printed) == (["passed", "passed"], True, ["", ""])
    await editor.accept("run", run=second.id)
    failed = await verify(editor)
    assert (states(failed), failed.verdict.passed) == (["passed", "failed"], False)
    assert failed.printed == ["", "15:bad\n"]
    # All of that was in the buffer.
    assert fingerprint(repository) == before


async def test_checks_are_told_apart_from_those_of_the_newest_tasks_snapshot(editor: Editor) -> None:
    report = "echo '<testsuite><testcase name=\"a\"/></testsuite>' > $MUX_JUNIT"
    silent = f"grep -q quiet numbers.txt || {report}"
    task = await editor.done("echo quiet >> numbers.txt", "echo more >> numbers.txt", checks=[silent, "false"])
    quiet, more = task.runs
    await editor.until(lambda: [check.state for check in editor.tasks[task.id].baseline] == ["passed", "failed"])

    def told(result: protocol.VerifyResult) -> list[tuple[str, str | None]]:
        return [(check.state, check.baseline_state) for check in result.verdict.checks]

    assert told(await verify(editor, run=more.id)) == [("passed", "passed"), ("failed", "failed")]
    # It exits with 0, but its test report is missing.
    assert told(await verify(editor, run=quiet.id)) == [("failed", "passed"), ("failed", "failed")]
    # Other checks have no baseline.
    assert told(await verify(editor, checks=["true"])) == [("passed", None)]


async def test_what_the_first_checks_of_a_repository_print_is_told(editor: Editor) -> None:
    assert (await verify(editor, checks=["echo seen; exit 1"])).printed == ["seen\n"]


async def test_chosen_hunks_are_verified_before_they_are_accepted(editor: Editor, repository: Path) -> None:
    (run,) = (await editor.done(FIRST, checks=[TWO, NO_BAD])).runs
    editor.open("numbers.txt")
    editor.insert("numbers.txt", "line 1\n", "unsaved\n")
    text, before = editor.text("numbers.txt"), fingerprint(repository)
    hunks = {item.added: item.hunk for item in await editor.review("numbers.txt", run.id)}
    for named, expected in (
        ({}, ["passed", "failed"]),
        ({"paths": ["numbers.txt"]}, ["passed", "failed"]),
        ({"hunks": [hunks["two\n"]]}, ["passed", "passed"]),
        ({"hunks": [hunks["bad\n"]]}, ["failed", "failed"]),
    ):
        result = await verify(editor, run=run.id, **named)
        assert states(result) == expected, named
        assert (result.verdict.run, result.verdict.stale) == (run.id, False)
        assert result.verdict.hunks == named.get("hunks", [])
    assert states(await verify(editor, checks=["grep -q unsaved numbers.txt", "grep -q two numbers.txt"])) == [
        "passed",
        "failed",
    ]
    assert (editor.text("numbers.txt"), fingerprint(repository)) == (text, before)
    # A change that accepting would refuse is refused.
    editor.insert("numbers.txt", "line 3\n", "mine\n", replacing="line 2\n")
    with pytest.raises(Refused) as refused:
        await verify(editor, run=run.id)
    assert refused.value.kind == "conflict"
    assert "numbers.txt" in refused.value.message


async def test_files_that_come_and_go_are_verified_too(editor: Editor, repository: Path) -> None:
    (run,) = (await editor.done("mkdir new; echo 1 > new/a; git mv numbers.txt moved.txt; chmod +x moved.txt")).runs
    checks = ["test -f new/a", "test -x moved.txt", "test -f numbers.txt"]
    assert states(await verify(editor, run=run.id, checks=checks)) == ["passed", "passed", "failed"]
    assert states(await verify(editor, run=run.id, paths=["new"], checks=checks)) == ["passed", "failed", "passed"]
    assert {path for path in fingerprint(repository) if not path.startswith(".git")} == {".", "numbers.txt"}


async def test_a_verdict_is_stale_when_the_text_moves_on_and_fresh_when_it_is_taken_back(editor: Editor) -> None:
    editor.open("numbers.txt")
    result = await verify(editor, checks=["true"])
    assert not result.verdict.stale
    assert await said_by_status(editor) == result.verdict
    text = editor.text("numbers.txt")
    editor.insert("numbers.txt", "line 2\n", "new\n")
    await stale(editor, is_stale=True)
    assert await said_by_status(editor) == result.verdict.model_copy(update={"stale": True})
    editor.retype("numbers.txt", text)
    await stale(editor, is_stale=False)
    # The verdict does not depend on whether the text is saved.
    editor.save("numbers.txt")
    editor.close("numbers.txt")
    assert await said_by_status(editor) == result.verdict


async def test_what_is_typed_while_the_checks_run_makes_the_verdict_stale(editor: Editor, tmp_path: Path) -> None:
    editor.open("numbers.txt")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        asked = asyncio.ensure_future(verify(editor, checks=[f"{arrived.give}; {go.take}"]))
        await arrived.happened()
        editor.insert("numbers.txt", "line 2\n", "new\n")
        # A change sent before a request is processed before its answer.
        await editor.review("numbers.txt")
        go.happens()
        result = await asked
    assert result.verdict.passed
    await stale(editor, is_stale=True)


async def test_a_verdict_on_hunks_holds_when_they_are_accepted(editor: Editor) -> None:
    (run,) = (await editor.done("sed -i 's/^line 2$/two/' numbers.txt", checks=[TWO])).runs
    editor.open("numbers.txt")
    assert (await verify(editor, run=run.id)).verdict.passed
    await editor.accept("run", run=run.id)
    verdict = await said_by_status(editor)
    assert verdict is not None
    assert (verdict.run, verdict.passed, verdict.stale) == (run.id, True, False)
    editor.insert("numbers.txt", "line 9\n", "more\n")
    await stale(editor, is_stale=True)


async def test_a_verdict_on_hunks_is_stale_while_only_some_of_them_are_accepted(editor: Editor) -> None:
    (run,) = (await editor.done("sed -i 's/^line 2$/two/' numbers.txt; echo new > new.txt", checks=[TWO])).runs
    editor.open("numbers.txt")
    assert (await verify(editor, run=run.id)).verdict.passed
    await editor.accept("file", run=run.id, path="numbers.txt")
    await stale(editor, is_stale=True)
    await editor.accept("file", run=run.id, path="new.txt")
    await stale(editor, is_stale=False)


async def test_what_no_editor_tells_of_is_noticed_when_the_status_is_asked_for(editor: Editor) -> None:
    result = await verify(editor, checks=["true"])
    (editor.folder / "other.txt").write_text("new\n")
    verdict = await said_by_status(editor)
    assert verdict == result.verdict.model_copy(update={"stale": True})
    await stale(editor, is_stale=True)
    (editor.folder / "other.txt").unlink()
    assert await said_by_status(editor) == result.verdict


async def test_files_that_the_client_watches_are_followed(editor: Editor) -> None:
    await verify(editor, checks=["true"])
    (editor.folder / "other.txt").write_text("new\n")
    change = types.FileEvent(editor.uri("other.txt"), types.FileChangeType.Created)
    editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
    await stale(editor, is_stale=True)


async def test_buffers_of_other_editors_are_verified_where_asked_for(
    editor: Editor, join: Callable[..., Awaitable[Editor]]
) -> None:
    other = await join("other editor")
    other.open("numbers.txt")
    other.insert("numbers.txt", "line 2\n", "two\n")
    for unsaved, expected in (("own", "failed"), ("none", "failed"), ("all", "passed")):
        result = await verify(editor, checks=[TWO], unsaved=unsaved)
        assert (states(result), result.verdict.stale) == ([expected], False)
    # The last verdict includes the other's text.
    other.insert("numbers.txt", "line 3\n", "three\n")
    await stale(editor, is_stale=True)


async def test_without_any_check_it_says_what_to_do(editor: Editor) -> None:
    with pytest.raises(Refused) as refused:
        await verify(editor)
    assert (refused.value.kind, "--check" in refused.value.message) == ("usage", True)
    with pytest.raises(Refused) as refused:
        await verify(editor, paths=["numbers.txt"], checks=["true"])
    assert refused.value.kind == "usage"


async def test_a_cancelled_verification_leaves_nothing(
    editor: Editor, home: IsolatedHome, tmp_path: Path, repository: Path
) -> None:
    with signals(tmp_path / "signals", "arrived", "never") as (arrived, never):
        params = types.ExecuteCommandParams(
            "mux.verify", [{"checks": [f"{arrived.give}; (setsid sleep 1000 &) ; {never.take}"]}]
        )
        protocol_: Any = editor.protocol
        sent = protocol_.send_request_async(types.WORKSPACE_EXECUTE_COMMAND, params, msg_id="taken back")
        answer = asyncio.ensure_future(sent)
        await arrived.happened()
        assert in_worktrees(home.folder)
        editor.cancel_request(types.CancelParams("taken back"))
        with pytest.raises(Exception, match=r"(?i)cancel"):
            await answer
    assert in_worktrees(home.folder) == []
    assert await said_by_status(editor) is None
    # And the next verification is unaffected.
    assert (await verify(editor, checks=["true"])).verdict.passed
