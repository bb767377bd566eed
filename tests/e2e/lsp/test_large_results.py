"""Test results too large to show: summarised, accepted as a whole, and without delay to others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.lsp import protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

MANY = 300
"""More files than a notification lists, and than one edit of a client changes."""


async def test_a_committed_build_is_summed_up_and_accepted_as_a_whole(
    join: Callable[..., Awaitable[Editor]], repository: Path
) -> None:
    editor = await join()
    other = await join("another editor")
    uri = other.open("numbers.txt")
    agent = f"mkdir build && cd build && seq {MANY} | split -l 1 -a 4 -d - f && sed -i 's/5$/five/' ../numbers.txt"
    task = await editor.done(agent)
    (run,) = task.runs
    assert (len(run.files), run.file_count, run.added, run.removed) == (200, MANY + 1, MANY + 2, 2)
    for told in editor.told_of(protocol.RunChangedParams):
        assert len(told.run.files) <= 200
    for changed in editor.told_of(protocol.ReviewChangedParams):
        assert len(changed.uris) <= 200
    whole = (await editor.command("mux.run.get", protocol.RunResult, run=run.id)).run
    assert len(whole.files) == MANY + 1
    compared = await editor.command("mux.task.compare", protocol.TaskCompareResult, task=task.id)
    assert (len(compared.files), compared.more) == (200, MANY + 1 - 200)
    await other.shown(uri, lambda found: len(found) == 2)

    accepting = asyncio.create_task(editor.accept("run", run=run.id))
    asked = 0
    while not accepting.done():
        actions = await other.text_document_code_action_async(
            types.CodeActionParams(
                types.TextDocumentIdentifier(uri),
                types.Range(types.Position(4, 0), types.Position(4, 0)),
                types.CodeActionContext([]),
            )
        )
        assert actions
        asked += 1
    assert (await accepting).accepted == MANY + 2
    assert asked > 3, "the other client is served meanwhile"
    assert (repository / "build" / "f0299").read_text() == "300\n"


async def test_a_lock_file_goes_as_a_whole_and_is_told_in_lines(editor: Editor, repository: Path) -> None:
    task = await editor.done("seq 60000 >lock.json; sed -i 's/5$/five/' numbers.txt")
    (run,) = task.runs
    assert [(file.path, file.added) for file in run.files] == [("lock.json", 60000), ("numbers.txt", 2)]
    assert run.hunks == 3
    items = (await editor.command("mux.review.list", protocol.ReviewListResult, run=run.id)).items
    assert [(item.path, bool(item.hunk), len(item.added) < 100) for item in items] == [
        ("lock.json", False, True),
        ("numbers.txt", True, True),
        ("numbers.txt", True, True),
    ]
    some = await editor.command("mux.review.list", protocol.ReviewListResult, run=run.id, paths=["lock.json"])
    assert some.items == items[:1]
    assert (await editor.accept("file", run=run.id, path="lock.json")).accepted == 1
    assert (repository / "lock.json").read_text().count("\n") == 60000
