"""Store a built-in agent's conversation on disk before acting on it, so that it continues after any interruption.

The file has one JSON line for each step, in order: a `prompt`, a `message` of the model as the API returned it, a
`call` that is about to be carried out, its `result`. A call without a result was interrupted, and how far it came is
unknown. So the model is informed, and the call is never repeated automatically.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.events import Usage
from mux_lsp.agents.files import open_to_append, open_to_read
from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mux_lsp.agents.builtin.reply_stream import Reply
    from mux_lsp.agents.builtin.tools import Result

CONVERSATION: Final = "conversation.jsonl"
"""The file's name in the run's folder."""

INTERRUPTED: Final = (
    "[interrupted: mux-lsp was stopped while this was carried out. It may have had all, part or none of its effect. "
    "Look before you do it again.]"
)

NO_ANSWER: Final = "[no answer]"
"""Replaces the content of an empty message, such as after a refusal: the API rejects empty messages in a request."""

Block = dict[str, Any]
"""A content block of the Messages API, as JSON."""


@dataclass(slots=True)
class Conversation:
    """The messages so far, in the API's format, and the state of the pending tool calls."""

    file: Path
    messages: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, Block] = field(default_factory=dict)
    """Results of the last message's tool calls, by the call's id."""
    begun: set[str] = field(default_factory=set)
    """Ids of the last message's calls that were started."""
    also: dict[str, str] = field(default_factory=dict)
    """Texts that the model reads in addition to those results, by the call's id. They remain when results are cleared.
    """
    stop_reason: str | None = None
    """The API's reason why the model stopped after its last message."""
    refusal: str | None = None
    """The model's reason for a refusal; None if it did not refuse, or the API gives no reason."""
    spent: Usage = field(default_factory=Usage)
    """The usage of all the model's messages."""
    answers: int = 0
    """The number of the model's answers since the last prompt."""
    turn: int = -1
    """The turn of the last prompt; -1 before the first."""
    finished: bool = False
    """True if the work on the last prompt is finished."""

    @classmethod
    def load(cls, run_folder: Path) -> Conversation:
        """Load the conversation of a run so far; an empty one without a file. Raises AgentError if it is damaged."""
        conversation = cls(run_folder / CONVERSATION)
        try:
            with open_to_read(conversation.file) as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return conversation
        except OSError as error:
            raise AgentError(f"{conversation.file} cannot be read: {error.strerror or error}.") from error
        for number, line in enumerate(lines[:-1], 1):
            try:
                conversation._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise AgentError(
                    f"{conversation.file} is damaged in line {number}; `mux-lsp retry` starts the run anew."
                ) from error
        if lines[-1]:
            # An incomplete line: the machine went down during the write, before anything was done about the step.
            conversation._cut(len(lines[-1]))
        return conversation

    def prompt(self, text: str, turn: int) -> None:
        """Record a prompt of the person."""
        self._keep({"kind": "prompt", "turn": turn, "text": text})

    def message(self, reply: Reply) -> None:
        """Record a message of the model."""
        self._keep({"kind": "message", **dataclasses.asdict(reply)})

    def calling(self, call_id: str) -> None:
        """Record that a call is about to be carried out."""
        self._keep({"kind": "call", "id": call_id})

    def result(self, call_id: str, result: Result) -> None:
        """Record the result of a call."""
        self._keep({"kind": "result", "id": call_id, **dataclasses.asdict(result)})

    def answered(self) -> None:
        """Record that all calls of the last message have results, which become the next message to the model."""
        self._keep({"kind": "answered"})

    def finish(self) -> None:
        """Record that the work on the prompt is finished."""
        self._keep({"kind": "finished"})

    def calls(self) -> list[Block]:
        """Return the last message's tool calls."""
        last = self.messages[-1] if self.messages else None
        if last is None or last["role"] != "assistant":
            return []
        return [block for block in last["content"] if block["type"] == "tool_use"]

    def said(self) -> Iterator[str]:
        """Yield the texts, other than results, that the model was given and that no summary has replaced."""
        summed_up = [number for number, one in enumerate(self.messages) if is_summed_up(one["content"])]
        for message in self.messages[summed_up[-1] if summed_up else 0 :]:
            if message["role"] == "user":
                yield from (block["text"] for block in message["content"] if block["type"] == "text")

    def _keep(self, line: dict[str, Any]) -> None:
        try:
            with open_to_append(self.file) as file:
                file.write(json.dumps(line).encode() + b"\n")
                os.fsync(file.fileno())
        except OSError as error:
            raise AgentError(
                f"{self.file} cannot be written: {error.strerror}. The run stops before it acts."
            ) from error
        self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        match line["kind"]:
            case "prompt":
                self.turn, self.finished, self.answers = line["turn"], False, 0
                # Results of calls that were never answered come before the person's prompt.
                self._user([*self._answers(), {"type": "text", "text": line["text"]}])
            case "message":
                content = line["content"] or [{"type": "text", "text": NO_ANSWER}]
                self.messages.append({"role": "assistant", "content": content})
                self.answers += 1
                self.stop_reason, self.refusal = line["stop_reason"], line.get("refusal")
                self.spent = self.spent.plus(Usage(**line["usage"]))
                self._begin_anew()
            case "call":
                self.begun.add(line["id"])
            case "result":
                self.results[line["id"]] = {
                    "type": "tool_result",
                    "tool_use_id": line["id"],
                    "content": line["text"] or "[no output]",
                    **({} if line["ok"] else {"is_error": True}),
                }
                if also := line.get("also"):
                    self.also[line["id"]] = also
            case "answered":
                self._user(self._answers())
            case "finished":
                self.finished = True

    def _answers(self) -> list[Block]:
        """Return the results of the last message's calls. Missing ones are given as interrupted or not carried out."""
        answers = []
        for block in self.calls():
            missing = INTERRUPTED if block["id"] in self.begun else "[not carried out]"
            answers.append(
                self.results.get(block["id"])
                or {"type": "tool_result", "tool_use_id": block["id"], "content": missing, "is_error": True}
            )
        # All results go first: the API requires it.
        return answers + [{"type": "text", "text": text} for text in self.also.values()]

    def _user(self, content: list[Block]) -> None:
        if self.messages and self.messages[-1]["role"] == "user":
            self.messages[-1]["content"] = [*self.messages[-1]["content"], *content]
        elif content:
            self.messages.append({"role": "user", "content": content})
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.results, self.begun, self.also = {}, set(), {}

    def _cut(self, length: int) -> None:
        with open_to_append(self.file) as file:
            file.truncate(os.fstat(file.fileno()).st_size - length)


def is_summed_up(content: Iterable[Block]) -> bool:
    """Return whether a message contains a summary that replaces all earlier messages."""
    return any(block["type"] == "compaction" and block.get("content") for block in content)
