"""What agents ask leave for, asked in an editor that has no plugin of ours: by `window/showMessageRequest`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.agents.log import exact
from mux_lsp.engine.state.events import PermissionRequested
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.runs.permissions import Answer
    from mux_lsp.lsp.wire.server import MuxServer

log = logging.getLogger(__name__)

ANSWERS: Final[dict[str, Answer]] = {
    "Allow once": "once",
    "Allow for this run": "run",
    "Allow for this task": "task",
    "Always allow here": "always",
    "Refuse": "refuse",
}
"""What the buttons say, and what they mean."""


class PermissionPrompts:
    """Asks one client. Closing a question's window without an answer leaves it open for other clients."""

    def __init__(self, server: MuxServer, engine: Engine) -> None:
        self.enabled = False
        self._server = server
        self._engine = engine
        self._asking: dict[str, asyncio.Task[None]] = {}

    def begin(self) -> None:
        """The client is there: ask what was asked before it came."""
        for asked in self._engine.permissions.open():
            self.requested(PermissionRequested(asked.id, asked.task, asked.runs, asked.request))

    def requested(self, event: PermissionRequested) -> None:
        """Ask, unless this client is being asked already."""
        if self.enabled and event.id not in self._asking:
            task = self._asking[event.id] = asyncio.create_task(self._ask(event))
            task.add_done_callback(lambda _: self._asking.pop(event.id, None))

    def settled(self, ask_id: str) -> None:
        """The question has its answer."""
        task = self._asking.get(ask_id)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """The client has gone."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, event: PermissionRequested) -> None:
        subject = exact(event.request.subject)
        message = f"{', '.join(event.runs)} asks for leave: {exact(event.request.title)}"
        if subject not in message:
            message += f"\n{subject}"
        try:
            answer = await self._server.window_show_message_request_async(
                types.ShowMessageRequestParams(
                    types.MessageType.Warning, message, [types.MessageActionItem(title) for title in ANSWERS]
                )
            )
            if answer is not None and answer.title in ANSWERS:
                self._engine.permissions.reply(event.id, ANSWERS[answer.title])
        except (JsonRpcException, UsageError) as error:
            # It cannot show the question, or somebody else has answered meanwhile.
            log.info("%s was not answered here: %s", event.id, error)
