"""Launch GitHub Copilot CLI (`copilot`), and parse its `--output-format json` output, which reports no tokens."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.events import Event, FileTouched, Session, Text, Thought, ToolCall, ToolResult
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.presets.parser_base import Lines, raw, shortened, shown, titled, words
from mux_lsp.agents.presets.preset import Launch, LaunchRequest, Preset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OF_NO_MATTER: Final = ("session.", "user.", "assistant.turn_", "hook.", "system.", "subagent.", "skill.")
"""Prefixes of the types of messages that are of no interest to a person."""


def launch(request: LaunchRequest) -> Launch:
    """Build the command line.

    Writing is allowed, commands by a list. All else is refused, since there is nobody to ask. A repository's own
    configuration takes effect only in a trusted folder. The session's name is chosen here if possible: copilot reports
    its own choice only when it ends.
    """
    arguments = ["--output-format", "json", "--no-ask-user", "--no-auto-update", "--no-color", "--allow-tool", "write"]
    for option, commands in (("--allow-tool", request.commands.allow), ("--deny-tool", request.commands.deny)):
        for one in commands:
            arguments += [option, "shell" if one is None else f"shell({one}:*)"]
    session = request.session
    if request.trusted and session is None:
        # copilot accepts it only for a new session that is not named.
        arguments.append("--trust-folder")
    else:
        session = session or str(uuid.uuid5(uuid.NAMESPACE_URL, f"mux-lsp:{request.run_folder}"))
        arguments.append(f"--session-id={session}")
    if request.model is not None:
        arguments += ["--model", request.model]
    return Launch(tuple(arguments), session=session)


class CopilotParser(Lines):
    """Parser of `--output-format json`."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """See `Lines.read`."""
        kind = words(message["type"])
        if kind == "session.error":
            self.failure = words(message["data"]["message"])
            return []
        if message.get("ephemeral") is True or kind.startswith(_OF_NO_MATTER):
            return []
        return self._read(kind, message)

    def _read(self, kind: str, message: dict[str, Any]) -> Iterator[Event]:
        data = message.get("data") or {}
        match kind:
            case "assistant.message":
                if isinstance(data.get("reasoningText"), str) and data["reasoningText"]:
                    yield Thought(data["reasoningText"])
                if said := words(data["content"]):
                    self._said = said
                    yield Text(said)
            case "assistant.reasoning":
                yield Thought(words(data["content"]))
            case "tool.execution_start":
                name, given = words(data["toolName"]), data.get("arguments")
                yield ToolCall(words(data["toolCallId"]), name, titled(name, given), shown(given))
            case "tool.execution_complete":
                ok = data["success"] is True
                text = (data.get("result") or {}).get("content") if ok else (data.get("error") or {}).get("message")
                yield ToolResult(words(data["toolCallId"]), ok, shortened(words(text or "")))
                for edit in data.get("fileEdits") or ():
                    yield FileTouched(words(edit["path"]))
            case "result":
                yield Session(words(message["sessionId"]))
                if message.get("exitCode") == 0:
                    yield FinalWords(self._said)
            case _:
                yield raw(json.dumps(message))


COPILOT: Final = Preset(
    "copilot",
    "copilot",
    "npm install -g @github/copilot",
    launch,
    CopilotParser,
    keys=("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "COPILOT_PROVIDER_BASE_URL"),
    logins=("$COPILOT_HOME/config.json", "~/.copilot/config.json"),
)
