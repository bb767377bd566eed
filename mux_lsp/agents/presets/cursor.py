"""Launch Cursor's agent (`cursor-agent`), and parse its `stream-json` output, both according to its documentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.events import Event, FileTouched, Session, Text, Thought, ToolCall, ToolResult, Usage
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.presets.parser_base import Lines, count, raw, shortened, shown, titled, words
from mux_lsp.agents.presets.preset import Launch, LaunchRequest, Preset
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_ARGUMENT_BYTES: Final = 128 * 1024 - 1
"""Maximum size of one argument on Linux, in bytes."""


def launch(request: LaunchRequest) -> Launch:
    """Build the command line.

    The agent's own sandbox confines its commands. All other permissions are in the person's
    `~/.cursor/cli-config.json`. Servers of the repository start only with approval, which is given if the repository is
    trusted.
    """
    if len(request.prompt.encode()) > MAX_ARGUMENT_BYTES:
        raise UsageError(
            "cursor-agent takes its prompt as an argument, and this one is longer than the 128 KB that an argument can "
            "have. Put the long part into a file of the repository and name it."
        )
    arguments = ["-p", "--output-format", "stream-json", "--trust", "--sandbox", "enabled"]
    if request.trusted:
        arguments.append("--approve-mcps")
    if request.model is not None:
        arguments += ["--model", request.model]
    if request.session is not None:
        arguments += ["--resume", request.session]
    return Launch((*arguments, "--", request.prompt), reads_input=False)


class CursorParser(Lines):
    """Parser of `--output-format stream-json`."""

    def __init__(self) -> None:
        super().__init__()
        self._thought: list[str] = []

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """See `Lines.read`."""
        if message["type"] == "thinking" and message.get("subtype") == "delta":
            self._thought.append(words(message["text"]))
            return []
        return [*self.finish(), *self._read(message)]

    def finish(self) -> list[Event]:
        """See `Parser.finish`."""
        thought = "".join(self._thought)
        self._thought.clear()
        return [Thought(thought)] if thought.strip() else []

    def _read(self, message: dict[str, Any]) -> Iterator[Event]:
        match message["type"]:
            case "system":
                if message.get("subtype") == "init":
                    yield Session(words(message["session_id"]))
            case "user" | "thinking":
                return
            case "assistant":
                said = "".join(words(one["text"]) for one in message["message"]["content"] if one["type"] == "text")
                if said:
                    yield Text(said)
            case "tool_call":
                yield from _tool(words(message["call_id"]), message["tool_call"], message["subtype"])
            case "result":
                usage = message.get("usage") or {}
                yield Usage(
                    count(usage.get("inputTokens")),
                    count(usage.get("outputTokens")),
                    count(usage.get("cacheReadTokens")),
                    count(usage.get("cacheWriteTokens")),
                )
                said = words(message.get("result") or "")
                if message.get("is_error"):
                    self.failure = said or "it failed, and did not say why"
                else:
                    yield FinalWords(said)
            case _:
                yield raw(json.dumps(message))


def _tool(call: str, tool: dict[str, Any], step: str) -> Iterator[Event]:
    # Its only key names the tool, and its value has the arguments and the result.
    [(kind, about)] = [(key, value) for key, value in tool.items() if isinstance(value, dict)][:1]
    name, given = kind.removesuffix("ToolCall"), about.get("args") or {}
    if step == "started":
        yield ToolCall(call, name, titled(name, given), shown(given))
        return
    result = about.get("result") or {}
    ok = "success" in result or not result
    yield ToolResult(call, ok, "" if not result else shortened(shown(next(iter(result.values())))))
    if ok and name in {"write", "edit", "delete"}:
        yield FileTouched(words(given["path"]))


CURSOR: Final = Preset(
    "cursor-agent",
    "cursor-agent",
    "see https://cursor.com/docs/cli/installation",
    launch,
    CursorParser,
    keys=("CURSOR_API_KEY",),
    logins=("$XDG_CONFIG_HOME/cursor/auth.json", "~/.config/cursor/auth.json"),
)
