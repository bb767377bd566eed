"""Run an Agent Client Protocol agent that follows a script: `python -m tests.support.acp_agent SCRIPT`.

SCRIPT is JSON. `steps` has a list of steps for each prompt in turn; a step is an object with one key (see
`Agent._step`). `load`, `modes`, `login` and `version` set what the agent offers and requires.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from acp import run_agent
from acp.exceptions import RequestError
from acp.schema import (
    AgentCapabilities,
    AuthMethodAgent,
    Implementation,
    InitializeResponse,
    LoadSessionResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    SessionMode,
    SessionModeState,
    SessionNotification,
    SetSessionModeResponse,
    ToolCallUpdate,
    Usage,
)

if TYPE_CHECKING:
    from acp.interfaces import Client

SESSION = "session-of-the-script"
OPTIONS = {"allow_always": "Always", "allow_once": "Yes", "reject_once": "No", "reject_always": "Never"}


class Agent:
    """An agent that plays a script."""

    def __init__(self, script: dict[str, Any]) -> None:
        self.script = script
        self.prompts = iter(script.get("prompts", [script.get("steps", [])]))
        self.client: Client
        self.cancelled = asyncio.Event()
        self.mode = "ask"
        self.told = ""
        self.folder = ""
        self.messages = 0

    def on_connect(self, connection: Client) -> None:
        self.client = connection

    async def initialize(self, protocol_version: int, client_capabilities: Any = None, **_: Any) -> InitializeResponse:
        self.told = json.dumps(client_capabilities.model_dump(exclude_none=True)) if client_capabilities else ""
        method = AuthMethodAgent(id="login", name="Log in with Example", description="run `example login`")
        return InitializeResponse(
            protocol_version=self.script.get("version", 1),
            agent_capabilities=AgentCapabilities(load_session=bool(self.script.get("load"))),
            agent_info=Implementation(name="script", version="1"),
            auth_methods=[method],
        )

    async def new_session(self, cwd: str, mcp_servers: Any = None, **_: Any) -> NewSessionResponse:
        if self.script.get("login"):
            raise RequestError.auth_required()
        self.folder = cwd
        return NewSessionResponse(session_id=SESSION, modes=self._modes())

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> LoadSessionResponse:
        if session_id != SESSION:
            raise RequestError.resource_not_found(session_id)
        self.folder = cwd
        await self._tell({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "old words"}})
        cost = {"amount": 1.5, "currency": "USD"}
        await self._tell({"sessionUpdate": "usage_update", "used": 10, "size": 100, "cost": cost})
        return LoadSessionResponse(modes=self._modes())

    async def set_session_mode(self, mode_id: str, session_id: str, **_: Any) -> SetSessionModeResponse:
        self.mode = mode_id
        return SetSessionModeResponse()

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> PromptResponse:
        self.told = "".join(block.text for block in prompt)
        for step in next(self.prompts):
            ((kind, given),) = step.items()
            if (ended := await self._step(kind, given)) is not None:
                return ended
        return PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        self.cancelled.set()

    async def _step(self, kind: str, given: Any) -> PromptResponse | None:  # noqa: PLR0912  # one branch for each kind
        match kind:
            case "tell":
                await self._tell(given)
            case "say":
                await self._say(given)
            case "repeat":
                await self._say(f"told: {self.told}; in {self.folder}; mode {self.mode}; key {os.environ.get('KEY')}")
            case "ask":
                await self._say(await self._ask(given))
            case "read":
                await self._say(await self._tried(self.client.read_text_file(session_id=SESSION, **given)))
            case "write":
                await self._say(await self._tried(self.client.write_text_file(session_id=SESSION, **given)))
            case "print":
                sys.stdout.write(given)
                sys.stdout.flush()
            case "flood":
                before, after = json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": "!"}).split("!")
                os.set_blocking(sys.stdout.fileno(), True)
                sys.stdout.write(f"{before}{'x' * given}{after}\n")
                sys.stdout.flush()
            case "complain":
                sys.stderr.write(given * 400_000 + "\n" + given + "\n")
            case "leave":
                await asyncio.create_subprocess_exec(*given)
            case "die":
                sys.stdout.flush()
                os._exit(given)
            case "wait":
                await self.cancelled.wait()
                return PromptResponse(stop_reason="cancelled")
            case "ignore":
                await asyncio.Event().wait()
            case "fail":
                raise RequestError(-32603, "Internal error", {"details": given})
            case "end":
                usage = Usage(total_tokens=33, input_tokens=20, output_tokens=5, cached_read_tokens=8)
                return PromptResponse(stop_reason=given, usage=usage)
        return None

    async def _ask(self, given: dict[str, Any]) -> str:
        given = json.loads(json.dumps(given).replace("@CWD@", self.folder))
        kinds = given.pop("options", list(OPTIONS))
        options = [PermissionOption(option_id=kind, name=OPTIONS[kind], kind=kind) for kind in kinds]
        call = ToolCallUpdate.model_validate(given)
        answer = await self.client.request_permission(session_id=SESSION, tool_call=call, options=options)
        return f"answered {getattr(answer.outcome, 'option_id', answer.outcome.outcome)}"

    async def _tried(self, request: Any) -> str:
        try:
            return f"got {(await request).model_dump(exclude_none=True)}"
        except RequestError as error:
            return f"error {error}"

    async def _say(self, text: str) -> None:
        self.messages += 1
        for part in (text[:3], text[3:]):
            content = {"type": "text", "text": part}
            update = {"sessionUpdate": "agent_message_chunk", "messageId": f"m{self.messages}", "content": content}
            await self._tell(update)

    async def _tell(self, update: dict[str, Any]) -> None:
        heard = SessionNotification.model_validate({"sessionId": SESSION, "update": update})
        await self.client.session_update(session_id=SESSION, update=heard.update)

    def _modes(self) -> SessionModeState | None:
        modes = [SessionMode(id=name, name=name.title()) for name in self.script.get("modes", [])]
        return SessionModeState(current_mode_id="ask", available_modes=modes) if modes else None


if __name__ == "__main__":
    agent: Any = Agent(json.loads(sys.argv[1]))
    asyncio.run(run_agent(agent))
