"""Ask agents' permission questions in an editor without our plugin, with `window/showMessageRequest`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.core.sanitize import exact
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
"""The answer that each button gives, by its title."""


class PermissionPrompts:
    """The open questions of one client. Closing a question without an answer leaves it open for other clients."""

    def __init__(self, server: MuxServer, engine: Engine) -> None:
        self.enabled = False
        self._server = server
        self._engine = engine
        self._asking: dict[str, asyncio.Task[None]] = {}

    def begin(self) -> None:
        """Ask the questions that were open before the client connected."""
        for asked in self._engine.permissions.open():
            self.requested(PermissionRequested(asked.id, asked.task, asked.runs, asked.request))

    def requested(self, event: PermissionRequested) -> None:
        """Ask a question, unless this client is being asked it already."""
        if self.enabled and event.id not in self._asking:
            task = self._asking[event.id] = asyncio.create_task(self._ask(event))
            task.add_done_callback(lambda _: self._asking.pop(event.id, None))

    def settled(self, ask_id: str) -> None:
        """Withdraw a question that was answered."""
        task = self._asking.get(ask_id)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Withdraw all questions, because the client has gone."""
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
            # The client cannot show the question, or somebody else has answered it meanwhile.
            log.info("%s was not answered here: %s", event.id, error)
