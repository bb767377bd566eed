"""Test cancelled requests, and clients that disappear at once."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.daemon.client import request_status
from mux_lsp.engine.runs.watcher import watching
from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import WAIT_SECONDS, Refused
from tests.e2e.lsp.conftest import NUMBERS
from tests.e2e.lsp.connecting import connect, quit_rudely

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor
    from tests.support.home import IsolatedHome

    Join = Callable[..., Awaitable[Editor]]

EDIT = "sed -i -e 's/^line 5$/five/' numbers.txt"


async def test_a_follower_of_a_log_can_give_up(editor: Editor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    task = await editor.start("do it", f"echo begun; cat {gate}")
    run = task.runs[0].id
    await editor.until(lambda: editor.told_of(protocol.RunOutputParams))
    params = types.ExecuteCommandParams("mux.run.log", [{"run": run, "offset": 6, "follow": True}])
    request = editor.protocol.send_request(types.WORKSPACE_EXECUTE_COMMAND, params, msg_id="follow")
    waiting = asyncio.wrap_future(request)
    await editor.command("mux.run.get", protocol.RunResult, run=run)
    assert not waiting.done()
    editor.cancel_request(types.CancelParams("follow"))
    with pytest.raises(JsonRpcException) as cancelled:
        await waiting
    assert cancelled.value.code == types.LSPErrorCodes.RequestCancelled
    # The run is unaffected.
    await asyncio.to_thread(gate.write_bytes, b"")
    assert (await editor.ended(run)).runs[0].state == "finished"


async def test_a_client_that_dies_while_it_waits_for_a_log(
    home: IsolatedHome, repository: Path, editor: Editor
) -> None:
    doomed = await connect(home, repository, "doomed")
    gate = repository.parent / "gate"
    os.mkfifo(gate)
    task = await doomed.start("do it", f"cat {gate}; {EDIT}")
    run = task.runs[0].id
    params = types.ExecuteCommandParams("mux.run.log", [{"run": run, "follow": True}])
    doomed.protocol.send_request(types.WORKSPACE_EXECUTE_COMMAND, params)
    await doomed.command("mux.run.get", protocol.RunResult, run=run)
    await quit_rudely(doomed)
    # The task goes on, and other clients see it.
    await editor.until(lambda: run in editor.runs)
    await asyncio.to_thread(gate.write_bytes, b"")
    assert (await editor.ended(run)).runs[0].state == "finished"
    assert await editor.statuses("numbers.txt") == ["pending"]


async def test_a_task_that_was_asked_for_begins_though_its_client_is_gone(
    home: IsolatedHome, repository: Path, editor: Editor
) -> None:
    doomed = await connect(home, repository, "doomed")
    doomed.open("numbers.txt", "unsaved\n" + NUMBERS)
    params = types.ExecuteCommandParams("mux.task.start", [{"prompt": "x", "agents": [{"agent": f"sh:{EDIT}"}]}])
    doomed.protocol.send_request(types.WORKSPACE_EXECUTE_COMMAND, params)
    await doomed.text_document_hover_async(
        types.HoverParams(types.TextDocumentIdentifier(doomed.uri("numbers.txt")), types.Position(0, 0))
    )
    await quit_rudely(doomed)
    run = await editor.until(lambda: next(iter(editor.runs), None))
    task = await editor.ended(run)
    assert task.runs[0].state == "finished"
    editor.open("numbers.txt", "unsaved\n" + NUMBERS)
    found = [(item.status, item.range.start.line) for item in await editor.review("numbers.txt")]
    assert found == [("pending", 5)], task.runs[0]


async def test_a_client_that_dies_over_an_edit_leaves_nothing_half_done(
    home: IsolatedHome, repository: Path, editor: Editor
) -> None:
    (repository / "gone.txt").write_text("gone\n")
    doomed = await connect(home, repository, "doomed", resources=False)
    doomed.open("numbers.txt")
    task = await doomed.done(f"{EDIT}; rm gone.txt")
    run = task.runs[0].id

    gone_then: list[bool] = []

    def die() -> None:
        assert doomed._server is not None
        gone_then.append(not (repository / "gone.txt").exists())
        doomed._server.kill()

    doomed.before_edit = die
    params = types.ExecuteCommandParams("mux.run.accept", [{"run": run}])
    async with watching(repository) as batches, asyncio.timeout(WAIT_SECONDS):
        await batches.get()
        answer = doomed.protocol.send_request(types.WORKSPACE_EXECUTE_COMMAND, params)
        with pytest.raises(RuntimeError, match="exited"):
            await asyncio.wrap_future(answer)
        await doomed.stop()
        assert gone_then == [True]
        while not (repository / "gone.txt").exists():
            await batches.get()
    assert (repository / "numbers.txt").read_text() == NUMBERS
    found = await editor.review(run=run)
    assert {item.path: item.status for item in found} == {"numbers.txt": "pending", "gone.txt": "pending"}
    assert (repository / "gone.txt").read_text() == "gone\n"


async def test_a_client_that_goes_right_behind_an_accept_leaves_nothing_half_done_and_no_session(
    mux_home: IsolatedHome, repository: Path
) -> None:
    """The daemon writes the binary file, the client the text: neither happens, and nothing waits."""
    (repository / "data.bin").write_bytes(b"\0\1")
    doomed = await connect(mux_home, repository, "doomed")
    run = (await doomed.done(rf"{EDIT}; printf '\0\2' > data.bin")).runs[0].id
    server = doomed._server
    assert server is not None
    assert server.stdin is not None
    params = types.ExecuteCommandParams("mux.run.accept", [{"run": run}])
    doomed.protocol.send_request(types.WORKSPACE_EXECUTE_COMMAND, params)
    server.stdin.close()
    # The bridge lets the daemon finish, for a while.
    async with asyncio.timeout(WAIT_SECONDS):
        await server.wait()
    await doomed.stop()
    assert (await asyncio.to_thread(request_status, mux_home.paths))["clients"] == []
    assert (repository / "data.bin").read_bytes() == b"\0\1"
    assert (repository / "numbers.txt").read_text() == NUMBERS


async def test_requests_behind_a_shutdown_are_refused_and_not_left_without_an_answer(
    home: IsolatedHome, repository: Path
) -> None:
    leaving = await connect(home, repository, "leaving")
    await leaving.shutdown_async(None)
    with pytest.raises(Refused) as refused:
        await asyncio.wait_for(leaving.execute("mux.status", [{}]), WAIT_SECONDS)
    assert refused.value.code == types.ErrorCodes.InvalidRequest
    leaving.exit(None)
    await leaving.stop()
