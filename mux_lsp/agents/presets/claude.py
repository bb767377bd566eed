"""Launch Claude Code (`claude`) in headless mode, and parse its `stream-json` output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.builtin.pricing import priced
from mux_lsp.agents.events import (
    Event,
    FileTouched,
    Notice,
    Plan,
    PlanEntry,
    Session,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Usage,
)
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.presets.parser_base import Lines, count, dollars, raw, shortened, shown, titled, words
from mux_lsp.agents.presets.preset import Commands, Launch, LaunchRequest, Preset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WRITING: Final = {"Write": "file_path", "Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path"}
"""Tools that write files, each with the input that names the file."""

_STATES: Final = {"completed": "done", "in_progress": "active"}


def launch(request: LaunchRequest) -> Launch:
    """Build the command line.

    Edits inside the folder are accepted. Commands are accepted if a rule allows them or Claude Code itself considers
    them harmless. Settings files and servers of an untrusted repository are ignored: they can run any program.
    """
    settings: dict[str, Any] = {"permissions": _permissions(request.commands)}
    if request.trusted:
        settings["enableAllProjectMcpServers"] = True
    arguments = ["-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits"]
    if not request.trusted:
        arguments += ["--setting-sources", "user", "--strict-mcp-config"]
    arguments += ["--settings", json.dumps(settings)]
    if request.model is not None:
        arguments += ["--model", request.model]
    session = request.session and _session(request)
    if session:
        arguments += ["--resume", session]
    return Launch(
        tuple(arguments), {"DISABLE_AUTOUPDATER": "1"}, forgets=request.session is not None and session is None
    )


def _permissions(commands: Commands) -> dict[str, list[str]]:
    # `Bash(git diff:*)` matches `git diff` followed by any further words.
    return {
        "allow": ["Bash" if one is None else f"Bash({one}:*)" for one in commands.allow],
        "deny": ["Bash" if one is None else f"Bash({one}:*)" for one in commands.deny],
    }


def _session(request: LaunchRequest) -> str | None:
    """Return what names the session on the command line, or None if it is lost.

    That is its id or, for one held in another folder, its file: Claude Code finds an id only from the session's folder.
    """
    if not request.moved:
        return request.session
    home = request.environment.get("CLAUDE_CONFIG_DIR") or Path(request.environment.get("HOME", "~"), ".claude")
    return next(map(str, Path(home).expanduser().glob(f"projects/*/{request.session}.jsonl")), None)


class ClaudeParser(Lines):
    """Parser of `--output-format stream-json`."""

    def __init__(self) -> None:
        super().__init__()
        self._writing: dict[str, str] = {}
        """The files that unfinished calls are about to write, by the call's id."""
        self._answer: object = None
        """The id of the last answer that was counted: each of its parts is a message of its own, and repeats the usage.
        """
        self._told = Usage()
        """The usage of this turn that was already reported."""

    def begin_turn(self) -> None:
        """See `Parser.begin_turn`."""
        super().begin_turn()
        self._told = Usage()

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """See `Lines.read`."""
        match message["type"]:
            case "system":
                return self._system(message)
            case "assistant":
                return [*self._took(message["message"]), *self._said(message["message"]["content"])]
            case "user":
                content = message["message"]["content"]
                return [] if isinstance(content, str) else self._results(content)
            case "result":
                return self._ended(message)
            case "rate_limit_event" | "tool_progress" | "stream_event":
                return []
            case _:
                return [raw(json.dumps(message))]

    def _system(self, message: dict[str, Any]) -> Iterator[Event]:
        match message["subtype"]:
            case "init":
                yield Session(words(message["session_id"]))
            case "api_retry":
                yield Notice(
                    f"the API answered {message.get('error_status')}; attempt {message['attempt']} "
                    f"of {message['max_retries']} follows"
                )
            case "model_refusal_no_fallback":
                why = message.get("api_refusal_explanation")
                yield Notice(f"the model refused{f': {why}' if why else ''}")

    def _took(self, answer: dict[str, Any]) -> Iterator[Event]:
        """Yield the usage of an answer that is known when it begins, so that limits hold while the agent works."""
        usage = answer.get("usage")
        if answer.get("id") == self._answer or not isinstance(usage, dict):
            return
        self._answer = answer.get("id")
        took = priced(str(answer.get("model")), _usage_of(usage))
        if took.tokens:
            self._told = self._told.plus(took)
            yield took

    def _said(self, content: list[dict[str, Any]]) -> Iterator[Event]:
        for block in content:
            match block["type"]:
                case "text":
                    yield Text(words(block["text"]))
                case "thinking":
                    if thought := words(block["thinking"]):
                        yield Thought(thought)
                case "tool_use":
                    yield from self._called(words(block["id"]), words(block["name"]), block["input"])

    def _called(self, call: str, name: str, given: Any) -> Iterator[Event]:
        yield ToolCall(call, name, titled(name, given), shown(given))
        if name in _WRITING:
            self._writing[call] = words(given[_WRITING[name]])
        elif name == "TodoWrite":
            yield Plan(
                tuple(PlanEntry(words(one["content"]), _STATES.get(one["status"], "pending")) for one in given["todos"])
            )

    def _results(self, content: list[dict[str, Any]]) -> Iterator[Event]:
        for block in content:
            if block["type"] != "tool_result":
                continue
            call, ok = words(block["tool_use_id"]), not block.get("is_error")
            yield ToolResult(call, ok, shortened(_text_of(block.get("content", ""))))
            file = self._writing.pop(call, None)
            if ok and file is not None:
                yield FileTouched(file)

    def _ended(self, message: dict[str, Any]) -> Iterator[Event]:
        said = message.get("result")
        said = said if isinstance(said, str) else "; ".join(map(words, message.get("errors", ())))
        # Broken down by model, it covers all requests, as the cost does.
        models = message.get("modelUsage") or {}
        whole = (
            Usage(
                sum(count(one.get("inputTokens")) for one in models.values()),
                sum(count(one.get("outputTokens")) for one in models.values()),
                sum(count(one.get("cacheReadInputTokens")) for one in models.values()),
                sum(count(one.get("cacheCreationInputTokens")) for one in models.values()),
            )
            if models
            else _usage_of(message.get("usage") or {})
        )
        cost, told = dollars(message.get("total_cost_usd")), self._told
        self._told = Usage()
        yield Usage(
            max(0, whole.input - told.input),
            max(0, whole.output - told.output),
            max(0, whole.cache_read - told.cache_read),
            max(0, whole.cache_write - told.cache_write),
            None if cost is None else max(0.0, cost - (told.cost_usd or 0.0)),
        )
        if message.get("is_error"):
            self.failure = said or f"it stopped: {message['subtype']}"
        else:
            yield FinalWords(said)


def _usage_of(usage: dict[str, Any]) -> Usage:
    return Usage(
        count(usage.get("input_tokens")),
        count(usage.get("output_tokens")),
        count(usage.get("cache_read_input_tokens")),
        count(usage.get("cache_creation_input_tokens")),
    )


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] if block["type"] == "text" else f"[{block['type']}]" for block in content)


CLAUDE: Final = Preset(
    "claude",
    "claude",
    "npm install -g @anthropic-ai/claude-code",
    launch,
    ClaudeParser,
    keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK",
          "CLAUDE_CODE_USE_VERTEX"),
    logins=("$CLAUDE_CONFIG_DIR/.credentials.json", "~/.claude/.credentials.json"),
    dropped=frozenset({"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT"}),
)  # fmt: skip
