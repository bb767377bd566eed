"""Convert an agent's updates into events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from acp.schema import (
    AgentMessageChunk,
    AgentPlanUpdate,
    AgentThoughtChunk,
    ToolCallProgress,
    ToolCallStart,
    ToolCallUpdate,
    UsageUpdate,
)
from acp.schema import Usage as TurnUsage

from mux_lsp.agents.acp.tool_calls import Call, as_json, shortened, text_of, within
from mux_lsp.agents.events import (
    FileTouched,
    Plan,
    PlanEntry,
    Raw,
    Text,
    TextPart,
    Thought,
    ToolCall,
    ToolResult,
    Usage,
)

if TYPE_CHECKING:
    from acp.schema import SessionNotification

    from mux_lsp.agents.backend import Attempt, Host

_STATES: Final = {"pending": "pending", "in_progress": "active", "completed": "done"}
_ENDED: Final = frozenset({"completed", "failed"})


class Updates:
    """Converter of the updates of one attempt into events."""

    def __init__(self, attempt: Attempt, host: Host) -> None:
        self._attempt = attempt
        self._host = host
        self._spent = 0.0
        """Dollars of the session that are already counted: agents report its total cost each time."""
        self._calls: dict[str, Call] = {}
        self._ended: set[str] = set()
        self._touched: set[str] = set()
        self._parts: list[str] = []
        self._message: str | None = None
        self._thoughts: list[str] = []
        self._context = 0
        self._costs = 0.0
        self.muted = True
        """True while a session is loaded, because the agent then repeats all of it."""
        self.last = ""
        """The agent's last complete message."""

    def hear(self, heard: SessionNotification) -> None:
        """Process one update."""
        update = heard.update
        if isinstance(update, UsageUpdate):
            self._usage(update)
        if self.muted:
            return
        match update:
            case AgentMessageChunk():
                self._think_no_more()
                if update.message_id != self._message:
                    self._speak_no_more()
                    self._message = update.message_id
                self._parts.append(text := text_of(update.content))
                self._host.emit(TextPart(text))
            case AgentThoughtChunk():
                self._speak_no_more()
                self._thoughts.append(text_of(update.content))
            case AgentPlanUpdate():
                self.settle()
                entries = (PlanEntry(entry.content, _STATES[entry.status]) for entry in update.entries)
                self._host.emit(Plan(tuple(entries)))
            case ToolCallStart() | ToolCallProgress():
                self._tool(update)
            case _:
                # The agent's offers, and its echo of the person's own message.
                return

    def odd(self, text: str) -> None:
        """Report a line that could not be parsed."""
        self.settle()
        self._host.emit(Raw(shortened(text)))

    def asked(self, update: ToolCallUpdate) -> Call:
        """Return the call that needs permission. It is reported before the question is asked."""
        self.settle()
        call = self._known(update.tool_call_id)
        call.learn(update)
        self._tell(call)
        return call

    def wrote(self, path: str) -> None:
        """Report a file that the agent has changed, once for each path."""
        if path not in self._touched:
            self._touched.add(path)
            self._host.emit(FileTouched(path))

    def settle(self) -> None:
        """Report the message or thought in progress as complete."""
        self._think_no_more()
        self._speak_no_more()

    def end(self, usage: TurnUsage | None) -> None:
        """End the turn: report all that is pending, and the usage."""
        self.settle()
        for call in self._calls.values():
            self._tell(call)
        cost = self._costs or None
        if usage is not None:
            output = usage.output_tokens + (usage.thought_tokens or 0)
            read, write = usage.cached_read_tokens or 0, usage.cached_write_tokens or 0
            self._host.emit(Usage(usage.input_tokens, output, read, write, cost))
        elif self._context or cost:
            # It has read at least its current context.
            self._host.emit(Usage(input=self._context, cost_usd=cost))
        self._costs, self._context = 0.0, 0

    def _tool(self, update: ToolCallStart | ToolCallProgress) -> None:
        if update.tool_call_id in self._ended:
            return
        call = self._known(update.tool_call_id)
        call.learn(update)
        self.settle()
        # Many agents announce a call first, and send its title and input when they are known.
        if call.input or call.status in {"in_progress", *_ENDED}:
            self._tell(call)
        if call.status in _ENDED:
            self._ended.add(call.id)
            del self._calls[call.id]
            self._host.emit(ToolResult(call.id, call.status == "completed", call.result()))
            if call.writes and call.status == "completed":
                for path in call.diffs or call.paths():
                    self.wrote(within(path, self._attempt.worktree, self._attempt.folder))

    def _known(self, call_id: str) -> Call:
        return self._calls.setdefault(call_id, Call(call_id))

    def _tell(self, call: Call) -> None:
        if call.told:
            return
        call.told = True
        given = "" if call.input is None else shortened(as_json(call.input))
        self._host.emit(ToolCall(call.id, call.kind, call.title or call.kind, given))

    def _usage(self, update: UsageUpdate) -> None:
        # Reported at the end: updates arrive in the middle of a sentence, each with the total of the session.
        self._context = 0 if self.muted else update.used
        cost = update.cost
        if cost is None or cost.currency.upper() != "USD" or not 0 <= cost.amount < math.inf:
            return
        if not self.muted:
            # A lower total than before means that the agent has begun to count anew.
            self._costs += cost.amount - (self._spent if cost.amount >= self._spent else 0.0)
        self._spent = cost.amount

    def _speak_no_more(self) -> None:
        if self._parts:
            self.last = "".join(self._parts)
            self._parts.clear()
            self._host.emit(Text(self.last))

    def _think_no_more(self) -> None:
        if self._thoughts:
            self._host.emit(Thought("".join(self._thoughts)))
            self._thoughts.clear()
