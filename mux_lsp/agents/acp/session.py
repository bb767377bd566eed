"""Hold one conversation with an agent: handshake, session, prompt, outcome."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, TypeVar, cast

from acp import connect_to_agent
from acp.exceptions import RequestError
from acp.schema import ClientCapabilities, FileSystemCapabilities, Implementation, TextContentBlock
from pydantic import ValidationError

from mux_lsp import __version__
from mux_lsp.agents.acp.client import AcpClient
from mux_lsp.agents.acp.login import how_to_log_in
from mux_lsp.agents.acp.messages import Opening, going_on, last_words
from mux_lsp.agents.acp.settings import choose
from mux_lsp.agents.acp.updates import Updates
from mux_lsp.agents.acp.wire import Wire
from mux_lsp.agents.backend import Outcome
from mux_lsp.agents.command import explain
from mux_lsp.agents.conversation_recap import earlier
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.events import Notice, Session
from mux_lsp.agents.process import read_exit, wait
from mux_lsp.core.sanitize import printable
from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from acp.client.connection import ClientSideConnection
    from acp.interfaces import Client as AnyClient
    from acp.schema import (
        InitializeResponse,
        LoadSessionResponse,
        NewSessionResponse,
        PromptResponse,
        ResumeSessionResponse,
    )

    from mux_lsp.agents.backend import Attempt, Host
    from mux_lsp.agents.process import Pipes, Process

_T = TypeVar("_T")

PROTOCOL: Final = 1
"""The protocol version that mux-lsp speaks."""

START_SECONDS: Final = 300.0
"""Seconds until an agent must have a session. `npx` downloads it first if it is not installed yet."""

_LAST_SECONDS: Final = 1.0
"""Seconds to wait for output left in a pipe, or for the end of an agent that has closed it."""

_AUTHENTICATION_REQUIRED: Final = -32000
_MAX_REASON_CHARACTERS: Final = 500

_STOPPED: Final = {
    "max_tokens": "the model's answer was longer than the agent lets it be",
    "max_turn_requests": "it was not done after as many requests to the model as the agent makes for one prompt",
    "refusal": "the agent refused to do this",
    "cancelled": "cancelled",
}

_CLAUDE: Final = {"allowDangerouslySkipPermissions": False}
"""Options of Claude Code, which other agents ignore: the mode that bypasses permissions is not available.

Only permissions confine Claude Code to its worktree.
"""

_CLAUDE_UNTRUSTED: Final = {"settingSources": ["user"], "strictMcpConfig": True}
"""Options that keep Claude Code from running hooks and servers of an untrusted repository."""


class CannotGoOn(Exception):
    """The agent was interrupted during a prompt, and cannot load earlier sessions."""


class AcpSession:
    """A conversation with one started agent, for one attempt. `mode` is the session mode to select."""

    def __init__(self, attempt: Attempt, host: Host, process: Process, mode: str | None) -> None:
        self._attempt = attempt
        self._host = host
        self._process = process
        self._mode = mode
        self._updates = Updates(attempt, host)
        self._client = AcpClient(attempt, host, self._updates)
        self._session: str | None = None
        self._over = asyncio.Event()
        self._wire: Wire
        self._connection: ClientSideConnection

    async def work(self, pipes: Pipes, opening: Opening) -> Outcome:
        """Have the agent work on the prompt. The pipes are closed at the end.

        Raises AgentError if the agent does not follow the protocol, or answers with an error.
        """
        self._wire = await Wire.over(pipes, self._updates.hear, self._updates.odd)
        self._connection = connect_to_agent(cast("AnyClient", self._client), self._wire)
        try:
            return await self._prompt(opening)
        except CannotGoOn:
            return Outcome(
                None, "mux-lsp was stopped while it worked, and this agent does not go on with an earlier session"
            )
        except OSError:
            if self._wire.broken is not None:
                raise self._wire.broken from None
            return await self._dead()
        finally:
            self._over.set()
            # If the turn was interrupted, this is the only usage that is known.
            self._updates.end(None)
            await self._connection.close()

    async def cancel(self, seconds: float) -> None:
        """Ask the agent to stop, and wait at most `seconds` until it has."""
        self._client.cancel()
        if self._session is None or self._over.is_set():
            return
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                await self._connection.cancel(self._session)
                await self._over.wait()

    async def _prompt(self, opening: Opening) -> Outcome:
        try:
            async with asyncio.timeout(START_SECONDS):
                session, words = await self._open(opening)
        except TimeoutError:
            raise AgentError(f"The agent had no session after {START_SECONDS:.0f} seconds.") from None
        self._host.emit(Session(session))
        self._updates.muted = False
        self._session = session
        answer = await self._tell(session, words)
        while more := self._client.words():
            self._host.emit(Notice("It is told what you said when you refused it something."))
            answer = await self._tell(session, more)
        if answer.stop_reason == "end_turn":
            self._host.emit(FinalWords(self._updates.last))
            return Outcome(0)
        return Outcome(1, _STOPPED[answer.stop_reason])

    async def _tell(self, session: str, words: str) -> PromptResponse:
        block = TextContentBlock(type="text", text=words)
        answer = await self._asked(self._connection.prompt(session_id=session, prompt=[block]))
        self._updates.end(answer.usage)
        return answer

    async def _open(self, opening: Opening) -> tuple[str, str]:
        """Open a session. Return its id, and the prompt to send."""
        attempt, connection = self._attempt, self._connection
        greeting = await self._asked(
            connection.initialize(
                protocol_version=PROTOCOL,
                client_capabilities=ClientCapabilities(
                    fs=FileSystemCapabilities(read_text_file=True, write_text_file=True), terminal=False
                ),
                client_info=Implementation(name="mux-lsp", title="mux-lsp", version=__version__),
            )
        )
        if greeting.protocol_version != PROTOCOL:
            raise AgentError(
                f"The agent speaks version {greeting.protocol_version} of the Agent Client Protocol, and mux-lsp "
                f"version {PROTOCOL}. Install a version of the agent that speaks it."
            )
        opened: NewSessionResponse | LoadSessionResponse | ResumeSessionResponse | None
        session, words = attempt.session, attempt.prompt
        opened = None if session is None else await self._open_again(greeting, session)
        if session is None or opened is None:
            if opening is Opening.AGAIN:
                raise CannotGoOn
            if opening is Opening.FURTHER:
                self._host.emit(Notice("This agent does not load earlier sessions: it begins anew, and is told of it."))
                words = await asyncio.to_thread(earlier, attempt.run_folder, attempt.prompt)
            new = await self._asked(
                connection.new_session(cwd=str(attempt.folder), mcp_servers=[], **self._meta()), greeting
            )
            session, opened = new.session_id, new
        elif opening is Opening.AGAIN:
            self._host.emit(Notice("mux-lsp was stopped while the agent worked. It is told so, and goes on."))
            words = going_on(attempt.prompt)
        for change in choose(connection, session, opened, self._mode, attempt.model):
            await self._asked(change)
        return session, words

    async def _open_again(
        self, greeting: InitializeResponse, session: str
    ) -> LoadSessionResponse | ResumeSessionResponse | None:
        """Open an earlier session. Return None if the agent cannot load sessions or has lost this one."""
        able, connection = greeting.agent_capabilities, self._connection
        where: dict[str, Any] = {
            "session_id": session,
            "cwd": str(self._attempt.folder),
            "mcp_servers": [],
            **self._meta(),
        }
        if able is None:
            return None
        if able.session_capabilities is not None and able.session_capabilities.resume is not None:
            return await self._asked(connection.resume_session(**where), greeting)
        return await self._asked(connection.load_session(**where), greeting) if able.load_session else None

    def _meta(self) -> dict[str, Any]:
        return {"claudeCode": {"options": _CLAUDE | ({} if self._attempt.trusted else _CLAUDE_UNTRUSTED)}}

    async def _asked(self, request: Coroutine[Any, Any, _T], greeting: InitializeResponse | None = None) -> _T:
        """Return the answer to a request.

        Raises ConnectionError if the agent ends without an answer, AgentError if the answer is an error or invalid.
        """
        asking = asyncio.ensure_future(request)
        # A process that it has started may hold its output open, so only its own end shows that no answer will come.
        living = asyncio.ensure_future(wait(self._process, self._attempt.run_folder))
        try:
            await asyncio.wait({asking, living}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                # Its last answer may still be in the pipe.
                await asyncio.wait({asking}, timeout=_LAST_SECONDS)
            if not asking.done():
                raise ConnectionError("the agent has ended")
            return asking.result()
        except RequestError as error:
            if error.code == _AUTHENTICATION_REQUIRED:
                raise AgentError(how_to_log_in(greeting)) from error
            raise AgentError(f"The agent answered with an error: {_said(error)}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise AgentError(f"The agent's answer is not as the protocol has it: {where}: {first['msg']}.") from error
        finally:
            for one in (asking, living):
                one.cancel()
            await asyncio.gather(asking, living, return_exceptions=True)

    async def _dead(self) -> Outcome:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await wait(self._process, self._attempt.run_folder)
        status = read_exit(self._attempt.run_folder)
        how = "closed its output" if status is None else explain(status) or "ended"
        words = await asyncio.to_thread(last_words, self._attempt.run_folder)
        return Outcome(status or 1, f"the agent {how} before it had answered" + (f": {words}" if words else ""))


def _said(error: RequestError) -> str:
    details = error.data.get("details", error.data.get("message")) if isinstance(error.data, dict) else error.data
    parts = [str(error)] + ([str(details)] if isinstance(details, str) and details not in str(error) else [])
    return " ".join(printable(": ".join(parts)).split())[:_MAX_REASON_CHARACTERS]
