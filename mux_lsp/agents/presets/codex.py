"""Launch Codex (`codex exec`), and parse its `--json` output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

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
from mux_lsp.agents.presets.parser_base import Lines, count, raw, shortened, shown, titled, words
from mux_lsp.agents.presets.preset import Launch, LaunchRequest, Preset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def launch(request: LaunchRequest) -> Launch:
    """Build the command line.

    codex' own sandbox confines it: it writes in its folder and in temporary ones, and has no network. So commands need
    no list. codex runs what a repository configures only in a project recorded as trusted; the trust level is passed
    for this one run, and not recorded.
    """
    level = "trusted" if request.trusted else "untrusted"
    options = [
        "--json",
        "--skip-git-repo-check",
        "-c",
        'sandbox_mode="workspace-write"',
        "-c",
        f"projects={{{json.dumps(str(request.folder))}={{trust_level={json.dumps(level)}}}}}",
        *([] if request.model is None else ["-m", request.model]),
    ]
    command = ["exec", *options, "-"] if request.session is None else ["exec", "resume", *options, request.session, "-"]
    return Launch(tuple(command))


class CodexParser(Lines):
    """Parser of `codex exec --json`."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""
        self._begun: set[str] = set()
        """Items of this turn whose call has been reported."""
        self._thread = ""
        self._counted: dict[str, Usage] = {}
        """The usage reported for each thread: codex counts from the thread's beginning, over all its turns."""

    def begin_turn(self) -> None:
        """See `Parser.begin_turn`. Each turn numbers its items anew."""
        super().begin_turn()
        self._begun.clear()

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """See `Lines.read`."""
        match message["type"]:
            case "thread.started":
                self._thread = words(message["thread_id"])
                return [Session(self._thread)]
            case "item.started" | "item.updated" | "item.completed" as what:
                return self._item(message["item"], ended=what == "item.completed")
            case "turn.completed":
                return [self._usage(message["usage"]), FinalWords(self._said)]
            case "turn.failed":
                self.failure = words(message["error"]["message"])
            case "error":
                return [Notice(words(message["message"]))]
            case _:
                return [] if message["type"] == "turn.started" else [raw(json.dumps(message))]
        return []

    def _usage(self, usage: dict[str, Any]) -> Usage:
        read, written = count(usage.get("cached_input_tokens")), count(usage.get("cache_write_input_tokens"))
        whole = Usage(
            max(0, count(usage["input_tokens"]) - read - written), count(usage["output_tokens"]), read, written
        )
        before = self._counted.get(self._thread, Usage())
        self._counted[self._thread] = whole
        return Usage(
            max(0, whole.input - before.input),
            max(0, whole.output - before.output),
            max(0, whole.cache_read - before.cache_read),
            max(0, whole.cache_write - before.cache_write),
        )

    def _item(self, item: dict[str, Any], *, ended: bool) -> Iterator[Event]:
        match item["type"]:
            case "agent_message" if ended:
                self._said = words(item["text"])
                yield Text(self._said)
            case "reasoning" if ended:
                yield Thought(words(item["text"]))
            case "error" if ended:
                yield Notice(words(item["message"]))
            case "todo_list":
                yield Plan(
                    tuple(
                        PlanEntry(words(one["text"]), "done" if one["completed"] else "pending")
                        for one in item["items"]
                    )
                )
            case "command_execution" | "file_change" | "mcp_tool_call" | "web_search" as kind:
                yield from self._tool(kind, item, ended=ended)
            case _ if ended:
                yield raw(json.dumps(item))

    def _tool(self, kind: str, item: dict[str, Any], *, ended: bool) -> Iterator[Event]:
        call = words(item["id"])
        if call not in self._begun:
            self._begun.add(call)
            yield _call(call, kind, item)
        if not ended:
            return
        ok = item.get("status", "completed") == "completed" and item.get("exit_code") in {0, None}
        yield ToolResult(call, ok, shortened(_outcome(item)))
        if kind == "file_change" and ok:
            for change in item["changes"]:
                yield FileTouched(words(change["path"]))


def _call(call: str, kind: str, item: dict[str, Any]) -> ToolCall:
    match kind:
        case "command_execution":
            return ToolCall(call, "run", titled("run", item), words(item["command"]))
        case "file_change":
            paths = " ".join(words(change["path"]) for change in item["changes"])
            return ToolCall(call, "edit", titled("edit", {"path": paths}), shown(item["changes"]))
        case "mcp_tool_call":
            name = f"{item['server']}.{item['tool']}"
            return ToolCall(call, name, titled(name, item.get("arguments")), shown(item.get("arguments")))
        case _:
            return ToolCall(call, "search", titled("search", item), "")


def _outcome(item: dict[str, Any]) -> str:
    if isinstance(item.get("aggregated_output"), str):
        return words(item["aggregated_output"])
    if item.get("error"):
        return words(item["error"]["message"])
    return shown(item["result"]) if item.get("result") else ""


CODEX: Final = Preset(
    "codex",
    "codex",
    "npm install -g @openai/codex",
    launch,
    CodexParser,
    keys=("CODEX_API_KEY", "OPENAI_API_KEY"),
    logins=("$CODEX_HOME/auth.json", "~/.codex/auth.json"),
)
