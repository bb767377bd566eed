"""Test pygls as this project uses it: a cancelled request stops its work and leaves nothing behind."""

from __future__ import annotations

import asyncio
import functools
import gc
import weakref
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.errors import ConflictError, MuxError, UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire.server import MuxServer, guarded
from tests.unit.lsp.wire import Written, receive


def command(name: str, id_: int, *arguments: object) -> dict[str, Any]:
    params = {"command": name, "arguments": list(arguments)}
    return {"id": id_, "method": "workspace/executeCommand", "params": params}


async def test_cancelling_a_command_ends_its_work() -> None:
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(*_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server.command("wait")(wait)
    receive(server, command("wait", 1))
    await begun.wait()
    receive(server, {"method": "$/cancelRequest", "params": {"id": 1}})
    await ended.wait()
    await written.have(1)
    assert [(message["id"], message["error"]["code"]) for message in written] == [(1, -32800)]
    assert server.protocol._request_futures == {}


async def test_a_command_gets_its_arguments_as_they_came_and_leaves_nothing_behind() -> None:
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)

    async def echo(*arguments: Any) -> Any:
        return list(arguments)

    server.command("echo")(echo)
    receive(server, command("echo", 1, {"a": [1, None]}, 2))
    receive(server, command("echo", 2))
    receive(server, command("nothing", 3))
    await written.have(3)
    answers = {message["id"]: message for message in written}
    assert (answers[1]["result"], answers[2]["result"]) == ([{"a": [1, None]}, 2], [])
    assert answers[3]["error"]["data"] == {"kind": "usage"}
    assert server.protocol._request_futures == {}


async def test_what_is_told_keeps_its_order_among_answers() -> None:
    """A client takes the last message for the present state: nothing older may come after it."""
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)
    loop = asyncio.get_running_loop()

    def tell(moment: str) -> None:
        server.protocol.send_notification("mux/reviewChanged", protocol.ReviewChangedParams(uris=[moment], more=0))

    async def look(*_: Any) -> str:
        tell("before")
        # The next event in the daemon, after the answer is made and before it is sent.
        loop.call_soon(tell, "after")
        return "look"

    server.command("look")(look)
    receive(server, command("look", 1))
    await written.have(3)
    told = [message["result"] if "result" in message else message["params"]["uris"][0] for message in written]
    assert told == ["before", "look", "after"]


async def test_parameters_that_are_not_lsps_are_answered() -> None:
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)
    with pytest.raises(JsonRpcException):
        receive(server, {"id": 9, "method": "textDocument/hover", "params": {"textDocument": 7}})
    (answer,) = written
    assert (answer["id"], answer["error"]["code"]) == (9, -32602)


@pytest.mark.parametrize(
    ("error", "kind"), [(MuxError("a"), "failed"), (UsageError("a"), "usage"), (ConflictError("a"), "conflict")]
)
async def test_expected_errors_have_their_kind(error: MuxError, kind: str) -> None:
    async def fail() -> None:
        raise error

    with pytest.raises(JsonRpcException) as refused:
        await guarded(fail)()
    assert (refused.value.message, refused.value.code, refused.value.data) == ("a", -32803, {"kind": kind})


async def test_a_bug_is_logged_once_and_told_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise KeyError("secret")

    with pytest.raises(JsonRpcException) as refused:
        await guarded(fail)()
    assert "secret" not in refused.value.message
    assert "mux-lsp doctor" in refused.value.message
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_server_does_not_outlive_its_connection() -> None:
    server = MuxServer()
    server.protocol.get_message_type("textDocument/hover")
    server.protocol.get_result_type("textDocument/hover")
    gone = weakref.ref(server.protocol)
    server.shutdown()  # type: ignore[no-untyped-call]  # pygls gives it no types
    del server
    gc.collect()
    assert gone() is None


async def test_a_client_that_has_gone_is_asked_nothing_more() -> None:
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)
    edit = types.ApplyWorkspaceEditParams(types.WorkspaceEdit())
    before = server.protocol.send_request_async(types.WORKSPACE_APPLY_EDIT, edit)
    server.protocol.cancel_all()
    after = server.protocol.send_request_async(types.WORKSPACE_APPLY_EDIT, edit)
    for asked in (before, after):
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert len(written) == 1


@pytest.mark.parametrize("answer", [None, {}, {"applied": True, "failedChange": "first"}])
async def test_who_asks_is_not_left_waiting_by_an_answer_that_cannot_be_read(answer: Any) -> None:
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)
    edit = types.ApplyWorkspaceEditParams(types.WorkspaceEdit())
    asked = server.protocol.send_request_async(types.WORKSPACE_APPLY_EDIT, edit)
    with pytest.raises(JsonRpcException):
        receive(server, {"id": written[0]["id"], "result": answer})
    with pytest.raises(JsonRpcException, match="its answer is not as LSP has it"):
        await asked
    assert server.protocol._request_futures == {}


async def test_an_answer_that_says_that_there_was_no_error_is_no_error() -> None:
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)
    edit = types.ApplyWorkspaceEditParams(types.WorkspaceEdit())
    asked = server.protocol.send_request_async(types.WORKSPACE_APPLY_EDIT, edit)
    receive(server, {"id": written[0]["id"], "result": {"applied": True}, "error": None})
    assert (await asked).applied


async def test_nothing_is_kept_of_what_a_person_typed() -> None:
    """An editor stays connected for weeks."""
    server = MuxServer()
    for method in ("textDocument/didOpen", "textDocument/didChange", "textDocument/didClose"):
        server.feature(method)(functools.partial(lambda _: None))
    text = {"uri": "file:///a", "version": 1}
    opened = text | {"languageId": "plaintext", "text": ""}
    receive(server, {"method": "textDocument/didOpen", "params": {"textDocument": opened}})
    receive(server, {"method": "textDocument/didChange", "params": {"textDocument": text, "contentChanges": []}})
    receive(server, {"method": "textDocument/didClose", "params": {"textDocument": {"uri": "file:///a"}}})
    assert server.protocol._request_futures == {}


async def test_only_the_outermost_object_is_a_message() -> None:
    server, written = MuxServer(), Written()
    server.protocol.set_writer(written)

    async def echo(*arguments: Any) -> Any:
        return list(arguments)

    server.command("echo")(echo)
    nested = [
        {"jsonrpc": "2.0", "id": 7, "method": "textDocument/hover", "params": {"textDocument": 7}},
        {"a": [{"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {}}]},
        {"jsonrpc": 3, "id": 8, "result": None},
    ]
    receive(server, command("echo", 1, *nested))
    await written.have(1)
    assert [(message["id"], message["result"]) for message in written] == [(1, nested)]
