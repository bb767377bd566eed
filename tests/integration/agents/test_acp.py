"""Test agents that speak the Agent Client Protocol, as real processes: their events, requests and ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.agents.acp.backend import AcpBackend
from mux_lsp.agents.backend import Attempt, Decision, Outcome
from mux_lsp.agents.events import (
    Event,
    FileTouched,
    Final,
    Notice,
    Plan,
    PlanEntry,
    Raw,
    Session,
    Started,
    Text,
    TextPart,
    Thought,
    ToolCall,
    ToolResult,
    Usage,
)
from mux_lsp.agents.process import start
from mux_lsp.agents.process_table import is_there, read_table
from mux_lsp.agents.transcript import Prompted, Transcript
from mux_lsp.core.permissions import PermissionRequest
from mux_lsp.errors import AgentError
from tests.support.acp_agent import SESSION

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="agents need a POSIX system")

WAIT_SECONDS = 30.0
ROOT = str(Path(__file__).parents[3])
PERSON = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, "KEY": "canary", "GIT_DIR": "elsewhere"}


@dataclass
class Stage:
    """One run, with the events and requests that it emits."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    asked: list[PermissionRequest] = field(default_factory=list)
    decide: Callable[[PermissionRequest], Decision | None] = lambda _: Decision(True)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def worktree(self) -> Path:
        return self.folder / "slot" / "project"

    @property
    def attempt(self) -> Attempt:
        return Attempt("k3f-1", "k3f", "Do it.", self.folder, self.worktree, self.worktree / "src", self.folder / "run")

    @property
    def mark(self) -> dict[str, str]:
        return {"MUX_RUN": "k3f-1", "MUX_WORKTREE": str(self.worktree)}

    def emit(self, event: Event, offset: int | None = None) -> None:
        self.events.append(event)
        self.heard.set()

    async def ask(self, request: PermissionRequest) -> Decision:
        self.asked.append(request)
        self.heard.set()
        decision = self.decide(request)
        if decision is None:
            await asyncio.Event().wait()
        assert decision is not None
        return decision

    async def until(self, there: Callable[[], object]) -> None:
        """Wait until an event or request has made the condition true."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not there():
                self.heard.clear()
                await self.heard.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.of(Text)]

    def backend(self, *steps: dict[str, Any], mode: str | None = None, **script: Any) -> AcpBackend:
        given = json.dumps({"steps": list(steps), **script})
        return AcpBackend(
            [sys.executable, "-P", "-m", "tests.support.acp_agent", given], mode=mode, grace=2, person=PERSON
        )

    async def play(self, *steps: dict[str, Any], attempt: Attempt | None = None, **settings: Any) -> Outcome:
        """Run an attempt whose agent does these steps. Assert that no process is left, and return the outcome."""
        backend = self.backend(*steps, **settings)
        async with asyncio.timeout(WAIT_SECONDS):
            outcome = await backend.attempt(attempt or self.attempt, self)
        self.assert_nobody_left()
        return outcome

    async def shell(self, script: str) -> Outcome:
        """Run an attempt with a shell script as the agent. Assert that no process is left, and return the outcome."""
        async with asyncio.timeout(WAIT_SECONDS):
            outcome = await AcpBackend(script, grace=2, person=PERSON).attempt(self.attempt, self)
        self.assert_nobody_left()
        return outcome

    def assert_nobody_left(self) -> None:
        assert not [entry for entry in read_table(self.mark).values() if entry.marked]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    (stage.worktree / "src").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (stage.worktree / "a.py").write_text("one\ntwo\nthree\n")
    (tmp_path / "secret").write_text("secret")
    (stage.worktree / "way-out").symlink_to(tmp_path)
    return stage


def tell(of: str, /, **update: Any) -> dict[str, Any]:
    return {"tell": {"sessionUpdate": of, **update}}


def chunk(text: str) -> dict[str, Any]:
    return {"content": {"type": "text", "text": text}}


async def test_everything_it_tells_becomes_an_event(stage: Stage) -> None:
    path = str(stage.worktree / "a.py")
    diff = {"type": "diff", "path": path, "oldText": "one", "newText": "1"}
    entries = [{"content": word, "priority": "low", "status": word} for word in ("completed", "in_progress", "pending")]
    outcome = await stage.play(
        tell("agent_thought_chunk", **chunk("Hm, ")),
        tell("agent_thought_chunk", **chunk("yes.")),
        {"say": "I begin."},
        tell("plan", entries=entries),
        tell("tool_call", toolCallId="1", title="Edit", kind="edit", status="pending"),
        tell("tool_call_update", toolCallId="1", title="Edit a.py", rawInput={"path": path}),
        tell("tool_call_update", toolCallId="1", status="completed", content=[diff]),
        tell("tool_call", toolCallId="2", title="ls", kind="execute", status="in_progress", rawInput={"command": "ls"}),
        tell("tool_call_update", toolCallId="2", status="failed", content=[{"type": "content", **chunk("no ls")}]),
        tell("usage_update", used=500, size=1000, cost={"amount": 0.25, "currency": "USD"}),
        tell("usage_update", used=600, size=1000, cost={"amount": 0.75, "currency": "USD"}),
        tell("available_commands_update", availableCommands=[]),
        {"say": "All done."},
        {"end": "end_turn"},
    )
    assert outcome == Outcome(0)
    assert [event for event in stage.events if not isinstance(event, Started | TextPart)] == [
        Session(SESSION),
        Thought("Hm, yes."),
        Text("I begin."),
        Plan((PlanEntry("completed", "done"), PlanEntry("in_progress", "active"), PlanEntry("pending", "pending"))),
        ToolCall("1", "edit", "Edit a.py", json.dumps({"path": path})),
        ToolResult("1", True, f"--- {path}\n+++ {path}\n@@ -1 +1 @@\n-one\n+1\n"),
        FileTouched("a.py"),
        ToolCall("2", "execute", "ls", '{"command": "ls"}'),
        ToolResult("2", False, "no ls"),
        Text("All done."),
        Usage(20, 5, 8, 0, 0.75),
        Final("All done."),
    ]
    assert [part.text for part in stage.of(TextPart)] == ["I b", "egin.", "All", " done."]


async def test_it_starts_in_its_folder_with_its_key_and_is_told_what_it_may(stage: Stage) -> None:
    backend = replace(stage.backend({"repeat": 1}, modes=["ask", "edit"], mode="edit"), environment={"KEY": "set"})
    assert (await backend.attempt(stage.attempt, stage)).exit_status == 0
    assert stage.said == [f"told: Do it.; in {stage.worktree / 'src'}; mode edit; key set"]


@pytest.mark.parametrize(
    ("allowed", "options", "answer"),
    [
        (True, ["allow_always", "allow_once", "reject_once", "reject_always"], "allow_once"),
        (False, ["allow_always", "allow_once", "reject_always", "reject_once"], "reject_once"),
        (True, ["allow_always", "reject_once"], "reject_once"),
        (False, ["allow_once", "reject_always"], "cancelled"),
    ],
)
async def test_leave_is_given_once_or_not_at_all(stage: Stage, allowed: bool, options: list[str], answer: str) -> None:
    stage.decide = lambda _: Decision(allowed, None if allowed else "No.")
    call = {"toolCallId": "1", "title": "`ls -a`", "kind": "execute", "options": options}
    assert (await stage.play({"ask": call})).exit_status == 0
    assert stage.said == [f"answered {answer}"]
    assert stage.asked == [PermissionRequest("run", "ls -a", "Run `ls -a`")]
    assert [event.title for event in stage.of(ToolCall)] == ["`ls -a`"]


async def test_each_file_of_a_request_is_asked_for(stage: Stage) -> None:
    stage.decide = lambda request: Decision(request.subject != "src/b.py", "Not that one.")
    places = [{"path": str(stage.worktree / "a.py")}, {"path": "b.py"}, {"path": str(stage.worktree / "c.py")}]
    call = {"toolCallId": "1", "title": "Patch", "kind": "edit", "locations": places}
    assert (await stage.play({"ask": call})).exit_status == 0
    assert [(one.tool, one.subject) for one in stage.asked] == [("write", "a.py"), ("write", "src/b.py")]
    assert stage.said == ["answered reject_once"]


async def test_files_are_those_of_the_worktree(stage: Stage) -> None:
    path = str(stage.worktree / "a.py")
    await stage.play(
        {"read": {"path": path}},
        {"read": {"path": path, "line": 2, "limit": 1}},
        {"write": {"path": str(stage.worktree / "new" / "b.py"), "content": "b\n"}},
        {"read": {"path": str(stage.folder / "secret")}},
        {"read": {"path": str(stage.worktree / "way-out" / "secret")}},
        {"write": {"path": str(stage.worktree / "way-out" / "new"), "content": "x"}},
        {"write": {"path": str(stage.worktree / ".git" / "config"), "content": "x"}},
    )
    assert stage.said[:3] == ["got {'content': 'one\\ntwo\\nthree\\n'}", "got {'content': 'two\\n'}", "got {}"]
    assert all(said.startswith("error ") and "secret'" not in said for said in stage.said[3:])
    assert len(stage.said) == 7
    assert (stage.worktree / "new" / "b.py").read_text() == "b\n"
    assert stage.of(FileTouched) == [FileTouched("new/b.py")]
    assert not (stage.folder / "new").exists()


async def test_what_a_rule_denies_is_not_written_for_it_either(stage: Stage) -> None:
    stage.decide = lambda request: Decision(request.subject != "secrets/b.py", "A rule denies this.")
    places = [str(stage.worktree / name) for name in ("a.py", "secrets/b.py")]
    await stage.play(*({"write": {"path": place, "content": "b\n"}} for place in places))
    assert stage.asked == [
        PermissionRequest("write", place, f"Write {place}", unasked=True) for place in ("a.py", "secrets/b.py")
    ]
    assert (stage.worktree / "a.py").read_text() == "b\n"
    assert not (stage.worktree / "secrets").exists()
    assert "A rule denies this." in stage.said[1]


@pytest.mark.parametrize("steps", [[{"say": "at it"}, {"wait": 1}], [{"say": "at it"}, {"ignore": 1}]])
async def test_cancelled_in_the_middle(stage: Stage, steps: list[dict[str, Any]]) -> None:
    took = tell("usage_update", used=500, size=1000, cost={"amount": 0.25, "currency": "USD"})
    backend = stage.backend({"leave": ["sleep", "1000"]}, took, *steps)
    work = asyncio.create_task(backend.attempt(stage.attempt, stage))
    await stage.until(lambda: len(stage.of(TextPart)) == 2)
    await backend.cancel(stage.attempt, stage.of(Started)[0].process)
    assert (await work).exit_status != 0
    assert stage.said == ["at it"]
    assert stage.of(Usage) == [Usage(input=500, cost_usd=0.25)], "what it has taken until then is counted"
    stage.assert_nobody_left()


async def test_cancelled_while_it_waits_for_leave(stage: Stage) -> None:
    stage.decide = lambda _: None
    backend = stage.backend({"ask": {"toolCallId": "1", "title": "ls", "kind": "execute"}}, {"wait": 1})
    work = asyncio.create_task(backend.attempt(stage.attempt, stage))
    await stage.until(lambda: stage.asked)
    await backend.cancel(stage.attempt, stage.of(Started)[0].process)
    assert await work == Outcome(1, "cancelled")
    assert stage.said == ["answered cancelled"]
    stage.assert_nobody_left()


async def test_the_end_of_the_daemon_ends_it(stage: Stage) -> None:
    work = asyncio.create_task(stage.backend({"say": "at it"}, {"ignore": 1}).attempt(stage.attempt, stage))
    await stage.until(lambda: len(stage.of(TextPart)) == 2)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert work.cancelled()
    assert not is_there(stage.of(Started)[0].process)
    stage.assert_nobody_left()


async def test_a_further_message_goes_into_the_loaded_session(stage: Stage) -> None:
    further = replace(stage.attempt, turn=1, prompt="Go on.", session=SESSION)
    cost = {"amount": 2.0, "currency": "USD"}
    await stage.play(
        tell("usage_update", used=20, size=100, cost=cost), {"repeat": 1}, {"end": "end_turn"}, attempt=further, load=1
    )
    (said,) = stage.said
    assert said.startswith("told: Go on.;"), "and not what it said before once more"
    assert stage.of(Usage) == [Usage(20, 5, 8, 0, 0.5)]


async def test_one_that_loads_no_sessions_is_told_what_was_said(stage: Stage) -> None:
    transcript = Transcript(stage.folder / "run")
    for entry in (Prompted("Do it.", 0), Text("I did it."), Prompted("Go on.", 1)):
        transcript.add(entry)
    further = replace(stage.attempt, turn=1, prompt="Go on.", session=SESSION)
    assert (await stage.play({"repeat": 1}, attempt=further)).exit_status == 0
    (said,) = stage.said
    for words in ("You were told:\n\nDo it.", "I did it.", "Now you are told:\n\nGo on."):
        assert words in said
    assert "begins anew" in stage.of(Notice)[0].text


async def test_taken_up_by_a_later_daemon(stage: Stage) -> None:
    # The daemon that started this one is gone.
    process = start(
        ["sleep", "1000"], folder=stage.worktree, environment=PERSON, run_folder=stage.folder / "run", mark=stage.mark
    )
    again = replace(stage.attempt, session=SESSION)
    outcome = await stage.backend({"repeat": 1}, load=1).resume(again, process, stage)
    assert outcome == Outcome(0)
    assert "You were stopped while you worked" in stage.said[-1]
    assert "It is told so" in stage.of(Notice)[0].text
    assert not is_there(process)
    unable = await stage.backend({"repeat": 1}).resume(again, process, stage)
    assert (unable.exit_status, unable.reason) == (
        None,
        "mux-lsp was stopped while it worked, and this agent does not go on with an earlier session",
    )
    stage.assert_nobody_left()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"login": 1}, r"needs you to log in first. It offers: Log in with Example \(run `example login`\)."),
        ({"version": 2}, "speaks version 2 of the Agent Client Protocol"),
        ({"modes": ["ask", "edit"], "mode": "yolo"}, "has no mode 'yolo'. It offers: ask, edit."),
        ({"mode": "yolo"}, "offers no choice of a mode"),
        ({"steps": [{"fail": "the model is away"}]}, "answered with an error: Internal error: the model is away"),
    ],
)
async def test_reasons_in_words(stage: Stage, settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AgentError, match=complaint):
        await stage.play(**settings)
    stage.assert_nobody_left()


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([{"end": "refusal"}], Outcome(1, "the agent refused to do this")),
        (
            [{"complain": "Oh no\x1b[2J"}, {"die": 7}],
            Outcome(7, "the agent ended with exit status 7 before it had answered: Oh no"),
        ),
        # A process that it has started keeps its output open.
        ([{"leave": ["sleep", "1000"]}, {"die": 0}], Outcome(1, "the agent ended before it had answered")),
        ([{"complain": "x"}, {"say": "alive"}], Outcome(0)),
    ],
)
async def test_how_it_ends(stage: Stage, steps: list[dict[str, Any]], outcome: Outcome) -> None:
    ended = await stage.play(*steps)
    assert (ended.exit_status, (ended.reason or "").replace("\ufffd", "")[: len(outcome.reason or "")]) == (
        outcome.exit_status,
        outcome.reason or "",
    )


async def test_garbage_is_kept_and_does_no_harm(stage: Stage) -> None:
    lines = ["no JSON", "[1, 2]", "7", '{"id": [], "result": 1}', '{"id": 99, "result": 1}', "\n", '{"method": 5}']
    odd = {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "x", "update": {"sessionUpdate": "?"}}}
    outcome = await stage.play(
        {"print": "\n".join([*lines, json.dumps(odd), '{"method": "what/ever", "params": 1}', ""])},
        {"flood": 34 << 20},
        {"say": "still here"},
    )
    assert outcome.exit_status == 0
    assert stage.said == ["still here"]
    kept = [event.text for event in stage.of(Raw)]
    assert kept[:-1] == ["no JSON", "[1, 2]", "7", '{"id": [], "result": 1}', '{"method": 5}', json.dumps(odd)]
    assert kept[-1].startswith("(an update of 35,651,")


async def test_an_answer_too_long_to_read_ends_it(stage: Stage) -> None:
    with pytest.raises(AgentError, match="sent a message of 40,000,0"):
        await stage.shell("read line; head -c 40000000 /dev/zero | tr '\\0' x; echo; sleep 1000")
    stage.assert_nobody_left()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 0", "the agent ended before it had answered"),
        ("echo 'npm ERR! 404' >&2; exit 3", "the agent ended with exit status 3 before it had answered: npm ERR! 404"),
        ("kill -KILL $$", "the agent ended with exit status 137 (SIGKILL) before it had answered: Killed"),
    ],
)
async def test_one_that_dies_at_once(stage: Stage, script: str, reason: str) -> None:
    outcome = await stage.shell(script)
    assert outcome.exit_status != 0
    assert outcome.reason == reason


async def test_one_that_is_not_there(stage: Stage) -> None:
    with pytest.raises(AgentError, match="'no-such-agent' was not found on PATH"):
        await AcpBackend(["no-such-agent"], person=PERSON).attempt(stage.attempt, stage)
