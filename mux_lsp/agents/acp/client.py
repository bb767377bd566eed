"""Answer an agent's requests: for permission, and for files of its worktree."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from acp.exceptions import RequestError
from acp.schema import (
    AllowedOutcome,
    DeniedOutcome,
    ReadTextFileResponse,
    RequestPermissionResponse,
    WriteTextFileResponse,
)

from mux_lsp.agents.acp.tool_calls import requests
from mux_lsp.agents.builtin.tools import to_write
from mux_lsp.agents.builtin.worktree_files import WorktreeFiles
from mux_lsp.agents.events import Notice
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from acp.schema import PermissionOption, ToolCallUpdate

    from mux_lsp.agents.acp.updates import Updates
    from mux_lsp.agents.backend import Attempt, Host


class AcpClient:
    """Handler of the requests of one agent. The library defines the names and arguments of its methods."""

    def __init__(self, attempt: Attempt, host: Host, updates: Updates) -> None:
        self._attempt = attempt
        self._host = host
        self._updates = updates
        self._files = WorktreeFiles(attempt.worktree)
        self._cancelled = asyncio.Event()
        self._words: list[str] = []

    def words(self) -> str | None:
        """Return the person's words with refusals since the last call, or None.

        They are sent as a prompt, since the protocol's answers have no place for them.
        """
        words, self._words = "\n\n".join(self._words), []
        return words if words and not self._cancelled.is_set() else None

    def cancel(self) -> None:
        """Answer all pending and future permission requests as cancelled.

        The protocol requires this for a turn that is cancelled.
        """
        self._cancelled.set()

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: list[PermissionOption], **_: Any
    ) -> RequestPermissionResponse:
        """Have the request decided.

        An approval is always for this one call: for how long it holds is for our rules to decide.
        """
        call = self._updates.asked(tool_call)
        for request in requests(call, self._attempt.worktree, self._attempt.folder):
            asking = asyncio.ensure_future(self._host.ask(request))
            watch = asyncio.ensure_future(self._cancelled.wait())
            try:
                await asyncio.wait({asking, watch}, return_when=asyncio.FIRST_COMPLETED)
                if self._cancelled.is_set():
                    return _answer(None)
                decision = asking.result()
            finally:
                for one in (asking, watch):
                    one.cancel()
                await asyncio.gather(asking, watch, return_exceptions=True)
            if not decision.allowed:
                if decision.words is not None:
                    self._words.append(f"I refused this: {request.title}. {decision.words}")
                self._host.emit(Notice(f"Refused: {request.title}. {decision.reason or ''}".strip()))
                return _answer(_option(options, "reject_once"))
        allowed = _option(options, "allow_once")
        if allowed is None:
            self._host.emit(Notice(f"Refused: {call.title}. The agent does not let it be allowed for just this once."))
            return _answer(_option(options, "reject_once"))
        return _answer(allowed)

    async def read_text_file(
        self, session_id: str, path: str, line: int | None = None, limit: int | None = None, **_: Any
    ) -> ReadTextFileResponse:
        """Return a file of the worktree, or `limit` lines of it from the one-based `line` on."""
        try:
            relative = self._files.resolve(path, start=self._attempt.folder)
            data = await asyncio.to_thread(self._files.read, relative)
        except UsageError as error:
            raise _refused(error) from error
        text = data.decode(errors="replace")
        if line is not None or limit is not None:
            first = max((line or 1) - 1, 0)
            lines = text.splitlines(keepends=True)[first:]
            text = "".join(lines if limit is None else lines[: max(limit, 0)])
        return ReadTextFileResponse(content=text)

    async def write_text_file(self, session_id: str, path: str, content: str, **_: Any) -> WriteTextFileResponse:
        """Write a file of the worktree, unless a rule denies it."""
        try:
            relative = self._files.resolve(path, start=self._attempt.folder)
            decision = await self._host.ask(to_write(relative))
            if not decision.allowed:
                raise UsageError(f"Not allowed: {decision.reason}")
            await asyncio.to_thread(self._files.write, relative, content.encode(errors="replace"))
        except UsageError as error:
            raise _refused(error) from error
        self._updates.wrote(relative.as_posix())
        return WriteTextFileResponse()


def _option(options: list[PermissionOption], kind: str) -> str | None:
    return next((option.option_id for option in options if option.kind == kind), None)


def _answer(option: str | None) -> RequestPermissionResponse:
    if option is None:
        return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
    return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=option))


def _refused(error: UsageError) -> RequestError:
    return RequestError(-32602, str(error))
