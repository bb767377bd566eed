"""Run the built-in agent: ask the model, carry out the tool calls of its answer, and repeat until the work is done."""

from __future__ import annotations

import asyncio
import functools
import json
import platform
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents import process
from mux_lsp.agents.backend import Outcome
from mux_lsp.agents.builtin import tools as toolbox
from mux_lsp.agents.builtin.conversation import INTERRUPTED, NO_ANSWER, Block, Conversation, is_summed_up
from mux_lsp.agents.builtin.instructions import Instructions
from mux_lsp.agents.builtin.pricing import price_of
from mux_lsp.agents.builtin.reply_stream import MALFORMED
from mux_lsp.agents.builtin.shell import Shell
from mux_lsp.agents.builtin.tools import Result, Tools
from mux_lsp.agents.builtin.worktree_files import WorktreeFiles
from mux_lsp.agents.command import mark
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.events import Notice, Text, Thought, ToolCall, ToolResult, Usage
from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mux_lsp.agents.backend import Attempt, Host
    from mux_lsp.agents.builtin.api import Api
    from mux_lsp.agents.builtin.reply_stream import Reply
    from mux_lsp.agents.process_table import Process

MAX_SAME_CALLS: Final = 4
"""The number of failures of the same call in one turn after which the agent is stopped."""

GRACE_SECONDS: Final = 2.0

SYSTEM: Final = """\
You are a software engineer who works alone in a git worktree of your own. Nobody watches or answers while you work:
make sensible assumptions, say what they were at the end, and do the whole of what is asked.

Work with the tools. Look before you change: read the files that matter, follow the conventions you find there, and make
the smallest change that does the job well. Check your work by running what the repository has for that. Do not commit:
what you leave in the files is your result, so leave nothing in them that is not part of it.

You work in the folder {folder}, on {system}. Relative paths begin there, and only files below {worktree} can be read
and changed by the tools. Some commands need the leave of a person who may not be there. Where one is refused, find
another way. What needs a network port takes those from $MUX_PORT on, ten of them.

What the repository tells those who work in it comes in <instructions> tags: follow it, in a folder that of the folder
before that of those above it.

When you are done, or cannot go on, call `finish` with a summary."""


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """The limits that end an attempt; None for no limit."""

    turns: int = 200
    """Maximum number of the model's answers to one prompt."""
    cost_usd: float | None = None
    tokens: int | None = None
    """Maximum number of input and output tokens, cached or not. Like `cost_usd`, it covers all prompts of the run."""


@dataclass(slots=True)
class BuiltinBackend:
    """Backend that runs the built-in agent inside the daemon. Its commands are child processes as for any agent."""

    api: Callable[[str | None], Api]
    """Returns the API for a run's model; for None, with the model of the settings."""
    limits: TurnLimits = TurnLimits()
    secrets: frozenset[str] = frozenset()
    """Names of environment variables that commands of the agent do not get."""
    grace: float = GRACE_SECONDS
    """Seconds between SIGTERM and SIGKILL."""
    _working: dict[str, asyncio.Task[Outcome]] = field(default_factory=dict)

    async def attempt(self, attempt: Attempt, host: Host) -> Outcome:
        """See `Backend.attempt`."""
        api = self.api(attempt.model)
        shell = Shell(attempt, self.secrets, self.grace)
        work = self._working[attempt.run] = asyncio.create_task(self._work(attempt, host, api, shell))
        try:
            await asyncio.wait({work})
            return Outcome(1, "cancelled") if work.cancelled() else work.result()
        except AgentError as error:
            return Outcome(1, str(error))
        finally:
            self._working.pop(attempt.run, None)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await shell.close()
            await api.close()

    async def resume(self, attempt: Attempt, process: Process, host: Host) -> Outcome:
        """See `Backend.resume`. The agent has no process, so it continues from the stored conversation."""
        return await self.attempt(attempt, host)

    async def cancel(self, attempt: Attempt, process_: Process | None) -> None:
        """See `Backend.cancel`."""
        working = self._working.get(attempt.run)
        if working is not None:
            working.cancel()
            await asyncio.wait({working})
        # Commands that a killed daemon has left.
        await process.end(process_, mark(attempt.run, attempt.worktree), self.grace, run_folder=attempt.run_folder)

    async def _work(self, attempt: Attempt, host: Host, api: Api, shell: Shell) -> Outcome:
        conversation = await asyncio.to_thread(Conversation.load, attempt.run_folder)
        worktree_files = WorktreeFiles(attempt.worktree)
        start = worktree_files.resolve(str(attempt.folder))
        instructions = Instructions(worktree_files, start, conversation.said())
        tools = Tools(worktree_files, attempt.folder, shell, instructions, host)
        if conversation.turn < attempt.turn:
            words = attempt.prompt.encode("utf-8", "replace").decode()
            await asyncio.to_thread(conversation.prompt, words, attempt.turn)
        elif not conversation.finished:
            host.emit(Notice("Going on from where mux-lsp was stopped."))
        if conversation.finished:
            return Outcome(0)
        if self.limits.cost_usd is not None and price_of(api.model, Usage()) is None:
            return Outcome(
                1, f"max_cost_usd is set, but what {api.model} costs is not known: set max_tokens for it instead"
            )
        system = SYSTEM.format(folder=attempt.folder, worktree=attempt.worktree, system=platform.system())
        words = "\n\n".join(filter(None, [system, instructions.standing]))
        return await _Turn(host, api, tools, conversation, self.limits, words).work()


@dataclass(slots=True)
class _Turn:
    """The work on one prompt."""

    host: Host
    api: Api
    tools: Tools
    conversation: Conversation
    limits: TurnLimits
    system: str
    failures: Counter[str] = field(default_factory=Counter)

    async def work(self) -> Outcome:
        """Work until the prompt is finished, or the work cannot go on."""
        conversation = self.conversation
        stopped = None
        if conversation.messages[-1]["role"] == "assistant":
            # The daemon was stopped after the model's answer.
            stopped = await self._go_on()
        while stopped is None:
            if (over := self._over_limit()) is not None:
                return Outcome(1, over)
            reply = await self.api.ask(self.system, conversation.messages, toolbox.definitions(), self.host)
            # Counted first: if the daemon is killed before the answer is stored, it is requested, and paid, a second
            # time.
            self.host.emit(reply.usage)
            self._tell(reply)
            await asyncio.to_thread(conversation.message, reply)
            if is_summed_up(reply.content):
                self.tools.instructions.forget()
            stopped = await self._go_on()
        return stopped

    async def _go_on(self) -> Outcome | None:
        """Act on the model's last message. Return the outcome if it ends the work, else None."""
        content, reason = self.conversation.messages[-1]["content"], self.conversation.stop_reason
        if any(block["type"] == "tool_use" for block in content) and reason != "max_tokens":
            return await self._carry_out()
        match reason:
            case "refusal":
                said = toolbox.one_line(_text_of(content) or self.conversation.refusal or "")
                return Outcome(1, f"the model refused to do this{f': {said}' if said else ''}")
            case "max_tokens":
                most = f"{self.api.max_output:,} tokens (max_output_tokens)"
                return Outcome(1, f"the model's answer was longer than {most}")
            case "model_context_window_exceeded":
                return Outcome(1, "the conversation is longer than the model can take")
            case "pause_turn" | "compaction":
                return None
        return await self._done(_text_of(content))

    async def _carry_out(self) -> Outcome | None:
        """Carry out the calls of the last message that have no result yet, in order.

        Return the outcome if a call ends the work, else None.
        """
        conversation = self.conversation
        for call in conversation.calls():
            if call["id"] not in conversation.results:
                result = await self._result_of(call)
                if call["name"] != toolbox.FINISH:
                    self.host.emit(ToolResult(call["id"], result.ok, result.text))
                await asyncio.to_thread(conversation.result, call["id"], result)
                if (stuck := self._stuck(call, result)) is not None:
                    return stuck
            done = conversation.results[call["id"]]
            if call["name"] == toolbox.FINISH and not done.get("is_error"):
                return await self._done(done["content"])
        await asyncio.to_thread(conversation.answered)
        return None

    async def _result_of(self, call: Block) -> Result:
        given = call["input"]
        if call["id"] in self.conversation.begun:
            # It was interrupted. The model is informed, and decides.
            return Result(INTERRUPTED, ok=False)
        if call["name"] != toolbox.FINISH:
            title, shown = toolbox.title(call["name"], given), toolbox.shown_input(given)
            self.host.emit(ToolCall(call["id"], call["name"], title, shown))
        if isinstance(given, dict) and MALFORMED in given:
            return Result(f"The input of {call['name']} was not a JSON object. Send the call again.", ok=False)
        begin = functools.partial(asyncio.to_thread, self.conversation.calling, call["id"])
        return await self.tools.call(call["name"], given, begin)

    def _stuck(self, call: Block, result: Result) -> Outcome | None:
        key = json.dumps([call["name"], call["input"]], sort_keys=True)
        if result.ok:
            if call["name"] in toolbox.CHANGING:
                # Calls that failed before, such as the tests, may now fail for another reason.
                self.failures.clear()
            return None
        self.failures[key] += 1
        if self.failures[key] < MAX_SAME_CALLS:
            return None
        title = toolbox.title(call["name"], call["input"])
        return Outcome(1, f"the same call failed {MAX_SAME_CALLS} times ({title}): {toolbox.one_line(result.text)}")

    async def _done(self, words: str) -> Outcome:
        await asyncio.to_thread(self.conversation.finish)
        self.host.emit(FinalWords(words))
        return Outcome(0)

    def _tell(self, reply: Reply) -> None:
        for block in reply.content:
            match block["type"]:
                case "text":
                    self.host.emit(Text(block["text"]))
                case "thinking":
                    self.host.emit(Thought(block["thinking"]))

    def _over_limit(self) -> str | None:
        limits, spent = self.limits, self.conversation.spent
        if self.conversation.answers >= limits.turns:
            return f"it was not done after {limits.turns} answers of the model (max_turns)"
        if limits.tokens is not None and spent.tokens >= limits.tokens:
            return f"its budget of {limits.tokens:,} tokens is spent ({spent.tokens:,}; max_tokens)"
        if limits.cost_usd is not None and spent.cost_usd is not None and spent.cost_usd >= limits.cost_usd:
            return f"its budget of ${limits.cost_usd:.2f} is spent (${spent.cost_usd:.2f}; max_cost_usd)"
        return None


def _text_of(content: list[dict[str, Any]]) -> str:
    texts = (block["text"] for block in content if block["type"] == "text")
    return "\n\n".join(text for text in texts if text != NO_ANSWER).strip()
