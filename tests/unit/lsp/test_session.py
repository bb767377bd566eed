"""What a client is told, and what is not even made for a client that is told nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from mux_lsp.core.model import Run, RunState, Task
from mux_lsp.engine.events import Event, ReviewChanged, RunChanged, RunOutput, TaskChanged
from mux_lsp.lsp import convert, protocol
from mux_lsp.lsp.session import Session
from tests.unit.lsp.wire import Written, receive

if TYPE_CHECKING:
    from mux_lsp.engine.engine import Engine

RUN = Run("k3f-1", "k3f", "sh:true", None, RunState.RUNNING)
EVENTS: dict[str, Event] = {
    "mux/taskChanged": TaskChanged(Task("k3f", "do it", "/r", "", 1.0, runs=(RUN,))),
    "mux/runChanged": RunChanged(RUN, RunState.QUEUED),
    "mux/runOutput": RunOutput("k3f-1", "stdout", 0, "x"),
    "mux/reviewChanged": ReviewChanged("/r", frozenset({"b", "a"})),
}


def begun(options: object) -> tuple[Session, Written]:
    """A session behind the answer to its initialize."""
    session, written = Session(cast("Engine", SimpleNamespace())), Written()
    session.server.protocol.set_writer(written)
    params = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
    receive(session.server, {"id": 1, "method": "initialize", "params": params})
    return session, written


def test_a_client_of_our_protocol_is_told_of_every_event() -> None:
    session, written = begun({"mux": {"protocol": protocol.PROTOCOL_VERSION}})
    for event in EVENTS.values():
        session.tell(event)
    assert [message["method"] for message in written[1:]] == list(EVENTS)
    for message in written[1:]:
        protocol.NOTIFICATIONS[message["method"]].model_validate(message["params"])


@pytest.mark.parametrize("options", [None, {}, {"somebody": "else"}])
def test_nothing_is_made_for_a_client_that_is_told_nothing(options: object, monkeypatch: pytest.MonkeyPatch) -> None:
    session, written = begun(options)

    def made(*_: Any) -> Any:
        raise AssertionError("a shape was made for nobody")

    for name in ("task_shape", "run_shape", "uri_of"):
        monkeypatch.setattr(convert, name, made)
    for event in EVENTS.values():
        session.tell(event)
    assert len(written) == 1


def test_a_client_whose_protocol_was_refused_is_told_nothing() -> None:
    session, written = begun({"mux": {"protocol": protocol.PROTOCOL_VERSION + 1}})
    assert "error" in written[0]
    for event in EVENTS.values():
        session.tell(event)
    assert len(written) == 1
