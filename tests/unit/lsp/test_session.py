"""Test which notifications a client gets, and that none are prepared for a client that gets none."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from lsprotocol import types

from mux_lsp.callers import Agent, Person
from mux_lsp.core.model import Run, RunState, Task
from mux_lsp.core.permissions import PermissionRequest
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.state.events import (
    Event,
    PermissionRequested,
    ReviewChanged,
    RunChanged,
    RunOutput,
    TaskChanged,
)
from mux_lsp.engine.state.run_summary import NO_SUMMARY
from mux_lsp.lsp import protocol
from mux_lsp.lsp.review import places
from mux_lsp.lsp.session import Session
from mux_lsp.lsp.wire import convert
from tests.unit.lsp.opening import open_in
from tests.unit.lsp.wire import Written, receive

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review.presence import PresenceMap
    from mux_lsp.lsp.wire.documents import Document

RUN = Run("k3f-1", "k3f", "sh:true", None, RunState.RUNNING)
EVENTS: dict[str, Event] = {
    "mux/taskChanged": TaskChanged(Task("k3f", "do it", "/r", "", 1.0, runs=(RUN,))),
    "mux/runChanged": RunChanged(RUN, RunState.QUEUED),
    "mux/runOutput": RunOutput("k3f-1", "stdout", 0, "x"),
    "mux/reviewChanged": ReviewChanged("/r", frozenset({"b", "a"})),
}


def begun(options: object) -> tuple[Session, Written]:
    """A session behind the answer to its initialize."""
    engine = SimpleNamespace(tasks=SimpleNamespace(summary=lambda _: NO_SUMMARY))
    session, written = Session(cast("Engine", engine), Person()), Written()
    session.server.protocol.set_writer(written)
    params = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
    receive(session.server, {"id": 1, "method": "initialize", "params": params})
    return session, written


async def test_a_client_of_our_protocol_is_told_of_every_event() -> None:
    session, written = begun({"mux": {"protocol": protocol.PROTOCOL_VERSION}})
    for event in EVENTS.values():
        session.on_event(event)
    await written.have(1 + len(EVENTS))
    assert [message["method"] for message in written[1:]] == list(EVENTS)
    for message in written[1:]:
        protocol.NOTIFICATIONS[message["method"]].model_validate(message["params"])


async def test_a_file_is_named_as_the_client_spells_it_where_it_is_open() -> None:
    session, written = begun({"mux": {"protocol": protocol.PROTOCOL_VERSION}})
    open_in(session.documents, "file:///r/%c3%a4%2bb", "")
    session.on_event(ReviewChanged("/r", frozenset({"ä+b", "ö"})))
    await written.have(2)
    assert written[-1]["params"]["uris"] == ["file:///r/%c3%a4%2bb", "file:///r/%C3%B6"]
    await session.close()


@pytest.mark.parametrize("options", [None, {}, {"somebody": "else"}])
def test_nothing_is_made_for_a_client_that_is_told_nothing(options: object, monkeypatch: pytest.MonkeyPatch) -> None:
    session, written = begun(options)

    def made(*_: Any) -> Any:
        raise AssertionError("a shape was made for nobody")

    for name in ("task_shape", "run_shape", "uri_of"):
        monkeypatch.setattr(convert, name, made)
    for event in EVENTS.values():
        session.on_event(event)
    assert len(written) == 1


async def test_a_client_whose_protocol_was_refused_is_told_nothing() -> None:
    session, written = begun({"mux": {"protocol": protocol.PROTOCOL_VERSION + 1}})
    assert "error" in written[0]
    for event in EVENTS.values():
        session.on_event(event)
    await asyncio.sleep(0)  # notifications go out in the next turn of the loop
    assert len(written) == 1


async def test_of_what_is_typed_quickly_only_the_last_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Views are made one at a time, and the next one waits for the newest text."""
    history = SimpleNamespace(observe=lambda *_: None)
    verify = SimpleNamespace(tracker=SimpleNamespace(follows=lambda *_: False))
    transactions = SimpleNamespace(text_seen=lambda *_, **__: None)
    engine = SimpleNamespace(history=history, verify=verify, transactions=transactions)
    session = Session(cast("Engine", engine), Person())
    sent: list[int | None] = []
    made: list[int] = []
    gate, begun = asyncio.Event(), asyncio.Event()

    async def view_of(document: Document) -> tuple[places.DocumentReview, PresenceMap]:
        made.append(document.version)
        begun.set()
        await gate.wait()
        live = LiveText("a", ("text\n",), None, open=True)
        return places.DocumentReview(places.Buffer(document.uri, document.version, live), (), (), {}), {}

    views, sync = session.views, session._text_sync
    monkeypatch.setattr(views, "_view_of", view_of)
    monkeypatch.setattr(views, "_send_diagnostics", lambda _uri, version, _found: sent.append(version))
    uri = (tmp_path / "a").as_uri()
    (tmp_path / "a").write_text("text\n")
    open_in(session.documents, uri, "text\n")
    views.refresh(uri)
    await begun.wait()
    for version in range(2, 12):
        await sync.did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, uri),
                [types.TextDocumentContentChangeWholeDocument(f"text {version}\n")],
            )
        )
    asking = [asyncio.create_task(views.view(uri)) for _ in range(5)]
    gate.set()
    found = await asyncio.gather(*asking)
    await views._refreshing.idle()
    assert made == [1, 11], "nothing is made for the texts between"
    assert sent == [11], "nothing is sent for a text that is gone"
    assert {one.buffer.version for one in found if one} == {11}
    views.refresh(uri)
    await views._refreshing.idle()
    assert (made, sent) == ([1, 11], [11]), "what is known is not made again, and not sent again"
    await session.close()


async def test_a_client_of_an_agent_is_neither_asked_for_its_person_nor_given_a_way_to_cancel() -> None:
    asked = SimpleNamespace(id="ask1", task="k3f", runs=("k3f-1",), request=PermissionRequest("run", "ls", "Run `ls`"))
    engine = SimpleNamespace(
        tasks=SimpleNamespace(summary=lambda _: NO_SUMMARY), permissions=SimpleNamespace(open=lambda: (asked,))
    )
    session, written = Session(cast("Engine", engine), Agent("k3f-1")), Written()
    session.server.protocol.set_writer(written)
    able = {"window": {"workDoneProgress": True}}
    receive(
        session.server,
        {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": able}},
    )
    receive(session.server, {"method": "initialized", "params": {}})
    session.on_event(PermissionRequested("ask2", "k3f", ("k3f-1",), asked.request))
    session.on_event(EVENTS["mux/taskChanged"])
    assert (session._asking._asking, session._progress._begun) == ({}, {})
    await session.close()
