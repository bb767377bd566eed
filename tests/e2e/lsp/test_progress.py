"""Test the progress bar that an editor shows while a task runs, and that can cancel it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.lsp import protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]


async def bar(editor: Editor, number: int = 0) -> tuple[types.ProgressToken, types.WorkDoneProgressBegin]:
    """Wait until a bar is on the screen, and return its token and its beginning."""

    def begun() -> list[types.ProgressToken]:
        return [token for token in editor.progress_reports if editor.reports(token)][number : number + 1]

    (token,) = await editor.until(begun)
    begin = editor.reports(token)[0]
    assert isinstance(begin, types.WorkDoneProgressBegin)
    return token, begin


async def closed(editor: Editor, token: types.ProgressToken) -> list[types.WorkDoneProgressReport]:
    """Wait for a bar's end, and return the reports before it."""

    def ended() -> bool:
        return isinstance(editor.reports(token)[-1], types.WorkDoneProgressEnd)

    await editor.until(ended)
    reports = editor.reports(token)[1:-1]
    assert all(isinstance(report, types.WorkDoneProgressReport) for report in reports)
    return reports


async def test_a_task_has_a_bar_from_beginning_to_end(join: Join, tmp_path: Path) -> None:
    editor = await join(progress=True)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    prompt = "Make the tests\npass \x1b[31mwithout changing any of them, please, and thank you very much"
    task = await editor.start(prompt, f"cat {gate}", "true")
    try:
        token, begin = await bar(editor)
        assert begin.title == f"{task.id}: Make the tests pass without changing any of them, please, a…"
        assert begin.cancellable
        await editor.until(lambda: editor.runs[f"{task.id}-2"].state == "finished")
        shown = (50, f"1/2 · {task.id}-1 running")
        await editor.until(lambda: shown in [(one.percentage, one.message) for one in editor.reports(token)])
    finally:
        await asyncio.to_thread(gate.write_bytes, b"")
    reports = await closed(editor, token)
    percentages = [report.percentage for report in reports]
    assert percentages == sorted(percentages, key=lambda percentage: percentage or 0)
    end = editor.reports(token)[-1]
    assert isinstance(end, types.WorkDoneProgressEnd)
    assert end.message == "2 of 2 finished"


async def test_cancelling_the_bar_cancels_the_runs(join: Join, tmp_path: Path) -> None:
    editor, other = await join(progress=True), await join("other", progress=True)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    task = await editor.start("do it", f"echo > made.txt; cat {gate}", f"cat {gate}")
    await editor.until(lambda: all(run.state == "running" for run in editor.runs.values()) and len(editor.runs) == 2)
    token, _ = await bar(other)
    other.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    ended = await editor.ended(task.id)
    assert [run.state for run in ended.runs] == ["cancelled", "cancelled"]
    await closed(other, token)
    await closed(editor, (await bar(editor))[0])
    # The changes made until then are kept.
    assert [file.path for file in ended.runs[0].files] == ["made.txt"]


async def test_another_attempt_has_a_bar_of_its_own(join: Join) -> None:
    editor = await join(progress=True)
    task = await editor.done("true")
    first, _ = await bar(editor)
    await closed(editor, first)
    again = await editor.command("mux.run.retry", protocol.RunResult, run=task.runs[0].id)
    second, _ = await bar(editor, 1)
    assert second != first  # LSP: a token is used for one progress only
    await closed(editor, second)
    await editor.ended(again.run.id)


async def test_a_client_that_shows_no_progress_is_not_asked_to(editor: Editor) -> None:
    await editor.done("true")
    assert editor.progress_reports == {}
