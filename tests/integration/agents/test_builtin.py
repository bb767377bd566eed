"""The built-in agent with its real loop and tools against the replay server: what it does, and why it stops."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from mux_lsp.agents.backend import Attempt, Decision, Outcome
from mux_lsp.agents.builtin.api import Api
from mux_lsp.agents.builtin.conversation import CONVERSATION, INTERRUPTED
from mux_lsp.agents.builtin.loop import BuiltinBackend, Limits
from mux_lsp.agents.events import Event, Final, Notice, Text, TextPart, Thought, ToolCall, ToolResult, Usage
from mux_lsp.agents.replay import script
from mux_lsp.agents.replay.server import serve
from tests.support.replaying import DONE, call, text, turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mux_lsp.core.permissions import PermissionRequest

KEY = "sk-canary-in-the-environment"
WAIT_SECONDS = 20.0
NO_LIMITS = Limits()


@dataclass
class Stage:
    """One run, and who hears of it."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    asked: list[PermissionRequest] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    decision: Decision = field(default_factory=lambda: Decision(True))
    settings: dict[str, Any] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def worktree(self) -> Path:
        return self.folder / "slot" / "project"

    def emit(self, event: Event, offset: int | None = None) -> None:
        self.events.append(event)
        self.heard.set()

    async def ask(self, request: PermissionRequest) -> Decision:
        self.asked.append(request)
        return self.decision

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def until(self, kind: type[Any]) -> None:
        """Until an event of that kind has come."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not any(isinstance(event, kind) for event in self.events):
                self.heard.clear()
                await self.heard.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def results(self) -> list[str]:
        """What the tools gave, `!` before what failed."""
        return [("" if one.ok else "!") + one.text for one in self.of(ToolResult)]

    @property
    def attempt(self) -> Attempt:
        return Attempt(
            "k3f-1", "k3f", "Do it.", self.folder, self.worktree, self.worktree, self.folder / "run", port=4000
        )

    def backend(self, url: str, limits: Limits = NO_LIMITS) -> BuiltinBackend:
        async def key() -> str:
            return KEY

        def api(model: str | None) -> Api:
            given = {"stall": 0.3, **self.settings}
            return Api(given.pop("model", "claude-sonnet-5-5"), url, key, wait=self.wait, **given)

        return BuiltinBackend(api, limits)

    async def play(self, text: str, limits: Limits = NO_LIMITS, **changes: Any) -> Outcome:
        """The attempt, with this script in the model's place."""
        async with self.playing(text) as url:
            attempt = self.attempt if not changes else Attempt(**{**_fields(self.attempt), **changes})
            return await self.backend(url, limits).attempt(attempt, self)

    @asynccontextmanager
    async def playing(self, text: str) -> AsyncIterator[str]:
        async with serve(script.parse(text, "play.toml")) as url:
            yield url

    def conversation(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "run" / CONVERSATION).read_text().splitlines()]


def _fields(attempt: Attempt) -> dict[str, Any]:
    return {name: getattr(attempt, name) for name in Attempt.__dataclass_fields__}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    stage.worktree.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (stage.worktree / "a.py").write_text("one = 1\ntwo = 2\n")
    return stage


def play(*turns: str) -> str:
    return "[[conversation]]\n" + "".join(turns)


async def results_of(stage: Stage, *calls: str) -> list[str]:
    """What the tools give to these calls, each in an answer of its own."""
    assert await stage.play(play(*map(turn, calls), DONE)) == Outcome(0)
    assert stage.of(Final) == [Final("It is done.")]
    return stage.results


# Tools


async def test_reads_lists_and_searches(stage: Stage) -> None:
    (stage.worktree / "src").mkdir()
    (stage.worktree / "src" / "b.txt").write_bytes(b"caf\xe9\r\ntwo\x0cparts\r\n")
    (stage.worktree / ".git").mkdir()
    (stage.worktree / ".git" / "config").write_text("two")
    assert await results_of(
        stage,
        call("read_file", path="a.py"),
        call("read_file", path=str(stage.worktree / "a.py"), first_line=2),
        call("read_file", path="src/b.txt", lines=1),
        call("read_file", path="a.py", first_line=9),
        call("list_files"),
        call("list_files", pattern="*.txt"),
        call("search", pattern=r"^two\b"),
        call("search", pattern="two", glob="*.py"),
        call("search", pattern="("),
        call("search", pattern="nowhere"),
    ) == [
        "1\tone = 1\n2\ttwo = 2",
        "2\ttwo = 2",
        "1\tcaf?\n[lines 1-1 of 2]",
        "!a.py has 2 lines; there is no line 9.",
        "a.py\nsrc/b.txt",
        "src/b.txt",
        "a.py:2:two = 2\nsrc/b.txt:2:two\x0cparts",
        "a.py:2:two = 2",
        "!'(' is not a regular expression: missing ), unterminated subpattern at position 0.",
        "[no match]",
    ]


async def test_long_things_are_cut_and_say_so(stage: Stage) -> None:
    (stage.worktree / "long.txt").write_text("".join(f"line {n}\n" for n in range(5000)))
    (stage.worktree / "wide.txt").write_text("x" * 5000)
    read, wide, found, printed = await results_of(
        stage,
        call("read_file", path="long.txt"),
        call("read_file", path="wide.txt"),
        call("search", pattern="line"),
        call("run_command", command="seq 1 20000"),
    )
    assert read.splitlines()[-2:] == ["2000\tline 1999", "[lines 1-2000 of 5000]"]
    assert wide.endswith("xx [… 3000 more characters]")
    assert found.splitlines()[-1] == "[… more than 200 matches; narrow it down]"
    assert printed.startswith("1\n2\n")
    assert "bytes left out …]" in printed
    assert printed.endswith("19999\n20000\n")
    assert len(printed) < 31_000


async def test_edits_all_or_nothing_and_keeps_line_ends(stage: Stage) -> None:
    (stage.worktree / "dos.txt").write_bytes(b"a\r\nb\r\nb\r\nc\xff\r\n")
    (stage.worktree / "a.py").chmod(0o755)
    results = await results_of(
        stage,
        call("edit_file", path="a.py", edits=[{"old": "1", "new": "10"}, {"old": "one = 10", "new": "ONE = 10"}]),
        call("edit_file", path="a.py", edits=[{"old": "ONE", "new": "gone"}, {"old": "nowhere", "new": "x"}]),
        call("edit_file", path="dos.txt", edits=[{"old": "b", "new": "B"}]),
        call("edit_file", path="dos.txt", edits=[{"old": "b", "new": "B\n!", "everywhere": True}]),
        call("edit_file", path="dos.txt", edits=[{"old": "a\nB", "new": "A\nB"}]),
        call("edit_file", path="a.py", edits=[{"old": "", "new": "x"}]),
        call("edit_file", path="a.py", edits=[]),
    )
    assert [one.split(";")[0] for one in results] == [
        "a.py was changed.",
        "!edit 2 of 2: the text to replace is not in a.py. Nothing was changed",
        "!the text to replace is in dos.txt 2 times. Nothing was changed",
        "dos.txt was changed.",
        "dos.txt was changed.",
        "!the text to replace is not in a.py. Nothing was changed",
        "!The input of edit_file is not right: edits: List should have at least 1 item after validation, not 0.",
    ]
    assert (stage.worktree / "a.py").read_text() == "ONE = 10\ntwo = 2\n"
    assert (stage.worktree / "a.py").stat().st_mode & 0o777 == 0o755
    assert (stage.worktree / "dos.txt").read_bytes() == b"A\r\nB\r\n!\r\nB\r\n!\r\nc\xff\r\n"


async def test_writes(stage: Stage) -> None:
    (stage.worktree / "dos.txt").write_bytes(b"a\r\nb\r\n")
    assert await results_of(
        stage,
        call("write_file", path="new/deep/er.txt", content="hello\n"),
        call("write_file", path="a.py", content="anew\n"),
        call("write_file", path="dos.txt", content="x\ny\n"),
        call("write_file", path="new", content="a folder is there"),
        call("write_file", path="a.py"),
    ) == [
        "new/deep/er.txt was created.",
        "a.py was written anew.",
        "dos.txt was written anew.",
        "!new: is a directory.",
        "!The input of write_file is not right: content: Field required.",
    ]
    assert (stage.worktree / "new/deep/er.txt").read_text() == "hello\n"
    assert (stage.worktree / "a.py").read_text() == "anew\n"
    assert (stage.worktree / "dos.txt").read_bytes() == b"x\r\ny\r\n"
    assert [path.name for path in stage.worktree.parent.iterdir()] == ["project"]  # nothing is left beside it


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../secret", "is outside the worktree"),
        ("/etc/passwd", "is outside the worktree"),
        ("out", "is outside the worktree"),
        ("folder/secret", "is outside the worktree"),
        ("loop", "is outside the worktree|loop"),
        (".git/config", "is inside .git"),
        ("sub/.GIT/hooks/x", "is inside .git"),
        ("pipe", "is not a file"),
        ("a\0b", "NUL"),
        (".", "not a file|Name a file"),
    ],
)
async def test_no_path_leads_out(stage: Stage, path: str, said: str) -> None:
    import re

    (stage.folder / "secret").write_text("secret\n")
    (stage.worktree / ".git").mkdir()
    (stage.worktree / ".git" / "config").write_text("secret\n")
    (stage.worktree / "out").symlink_to(stage.folder / "secret")
    (stage.worktree / "folder").symlink_to(stage.folder)
    (stage.worktree / "loop").symlink_to("loop")
    os.mkfifo(stage.worktree / "pipe")
    results = await results_of(
        stage,
        call("read_file", path=path),
        call("write_file", path=path, content="mine"),
        call("edit_file", path=path, edits=[{"old": "secret", "new": "mine"}]),
    )
    for result in results:
        assert result.startswith("!"), result
        assert re.search(said, result), result
    assert (stage.folder / "secret").read_text() == "secret\n"
    assert (stage.worktree / ".git" / "config").read_text() == "secret\n"


async def test_links_inside_are_followed(stage: Stage) -> None:
    (stage.worktree / "link").symlink_to("a.py")
    assert await results_of(stage, call("write_file", path="link", content="x\n")) == ["a.py was written anew."]
    assert (stage.worktree / "link").is_symlink()
    assert (stage.worktree / "a.py").read_text() == "x\n"


async def test_a_link_swapped_in_meanwhile_is_an_error(stage: Stage) -> None:
    from mux_lsp.agents.builtin.confined import Confined
    from mux_lsp.errors import UsageError

    (stage.worktree / "src").mkdir()
    (stage.worktree / "src" / "f").write_text("x")
    (stage.folder / "f").write_text("outside")
    confined = Confined(stage.worktree)
    place = confined.resolve("src/f")
    (stage.worktree / "src" / "f").unlink()
    (stage.worktree / "src").rmdir()
    (stage.worktree / "src").symlink_to(stage.folder)
    with pytest.raises(UsageError):
        confined.read(place)
    with pytest.raises(UsageError):
        confined.write(place, b"mine")
    assert (stage.folder / "f").read_text() == "outside"


# Commands


async def test_commands(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("MY_SERVICE_TOKEN", KEY)
    results = await results_of(
        stage,
        call("run_command", command="pwd; echo err >&2; echo out"),
        call("run_command", command="exit 3"),
        call("run_command", command="env; cat /proc/self/environ /proc/$PPID/environ | tr '\\0' '\\n'"),
        call("run_command", command="echo $MUX_PORT; cat"),
    )
    assert results[0] == f"{stage.worktree}\nerr\nout\n"
    assert results[1] == "!\n[ended with exit status 3]"
    assert KEY not in results[2]
    assert "MUX_RUN=k3f-1" in results[2]
    assert results[3] == "4000\n"  # nothing comes in, and nothing waits for it
    assert [one.subject for one in stage.asked][1] == "exit 3"


async def test_a_search_gets_no_key(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    (stage.folder / "bin").mkdir()
    program = stage.folder / "bin" / "rg"
    program.write_text("#!/bin/sh\nenv | sed 's/^/a:1:/'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stage.folder / 'bin'}:{os.environ['PATH']}")
    (found,) = await results_of(stage, call("search", pattern="x"))
    assert "PATH=" in found
    assert KEY not in found


async def test_a_pattern_that_takes_for_ever_holds_up_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from mux_lsp.agents.builtin import searching

    monkeypatch.setattr(searching, "SECONDS", 0.5)
    monkeypatch.setenv("PATH", "/nowhere")
    (stage.worktree / "a.py").write_text("a" * 60 + "!\n")
    (found,) = await results_of(stage, call("search", pattern="(a+)+$"))
    assert found == "[the search was ended: it took too long]"


async def test_a_time_limit_ends_the_whole_tree(stage: Stage) -> None:
    program = "import os,time\nif os.fork()==0:\n os.setsid()\nprint(os.getpid(),flush=True)\ntime.sleep(1000)"
    (result,) = await results_of(
        stage, call("run_command", command=f"{sys.executable} -c '{program}'", timeout_seconds=1)
    )
    *numbers, ended = result.split("\n", 2)
    assert ended.endswith("[ended after 1 seconds: it had not finished]")
    assert len(numbers) == 2
    assert not [one for one in psutil.process_iter() if _is_of(one, stage)]


async def test_background_commands(stage: Stage) -> None:
    os.mkfifo(stage.folder / "go")
    os.mkfifo(stage.folder / "up")
    results = await results_of(
        stage,
        call("run_command", command=f"echo a; echo > {stage.folder}/up; read x < {stage.folder}/go; echo b; exit 2",
             background=True),
        call("run_command", command=f"read x < {stage.folder}/up"),
        call("command_output", id="c1"),
        call("stop_command", id="c1"),
        call("command_output", id="c9"),
        call("run_command", command="sleep 1000", background=True),
    )  # fmt: skip
    assert results[0] == "Started in the background as c1."
    assert results[2] == "a\n\n[still at work]"
    assert results[3] == "\n[stopped]"
    assert results[4].startswith("!There is no command 'c9'")
    # What was left at work ended with the agent.
    assert not [one for one in psutil.process_iter() if _is_of(one, stage)]


def _is_of(process: psutil.Process, stage: Stage) -> bool:
    try:
        marked = process.environ().get("MUX_WORKTREE") == str(stage.worktree)
        return marked and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


async def test_a_refused_command_is_not_run(stage: Stage) -> None:
    stage.decision = Decision(False, "Not today.")
    assert await results_of(stage, call("run_command", command="touch x")) == ["!Not allowed: Not today."]
    assert not (stage.worktree / "x").exists()
    assert [line["kind"] for line in stage.conversation()].count("call") == 0


# What the model is told


async def test_instructions_come_once_where_the_work_is(stage: Stage) -> None:
    (stage.worktree / "AGENTS.md").write_text("At the root.")
    (stage.worktree / "CLAUDE.md").symlink_to("AGENTS.md")
    (stage.worktree / "src").mkdir()
    (stage.worktree / "src" / "CLAUDE.md").write_text("In src.")
    (stage.worktree / "src" / "f").write_text("f\n")
    first, second = await results_of(stage, call("read_file", path="src/f"), call("read_file", path="src/f"))
    assert first == '1\tf\n\n<instructions file="src/CLAUDE.md">\nIn src.\n</instructions>'
    assert second == "1\tf"
    prompt = stage.conversation()[0]["text"]
    assert prompt.startswith('<instructions file="AGENTS.md">\nAt the root.')
    assert prompt.endswith("Do it.")
    # Nor again when a further message follows.
    more = play(turn(text("-")), turn(text("-")), turn(text("-")), turn(call("read_file", path="src/f")), DONE)
    assert await stage.play(more, turn=1, prompt="More.") == Outcome(0)
    assert [line["text"] for line in stage.conversation() if line["kind"] == "prompt"][1] == "More."
    assert stage.results[-1] == "1\tf"


async def test_tokens_cache_hits_and_cost_of_each_request(stage: Stage) -> None:
    usage = "usage = { input = 1000, output = 100, cache_read = 5000, cache_write = 200 }"
    assert await stage.play(play(turn(call("list_files"), more=usage), turn(text("Done."), more=usage))) == Outcome(0)
    cost = (1000 * 2 + 100 * 10 + 5000 * 0.1 + 200 * 2.5) / 1e6
    assert stage.of(Usage) == [Usage(1000, 100, 5000, 200, cost)] * 2
    assert stage.of(Final) == [Final("Done.")]


async def test_what_it_says_is_told_in_parts_and_whole(stage: Stage) -> None:
    said = turn('{ thinking = "Hmm." }', text("I look at it first."), call("list_files"))
    assert await stage.play(play(said, DONE)) == Outcome(0)
    assert "".join(part.text for part in stage.of(TextPart)) == "I look at it first."
    assert stage.of(Text) == [Text("I look at it first.")]
    assert stage.of(Thought) == [Thought("Hmm.")]
    assert stage.of(ToolCall)[0].title == "list files"


# Why it stops


@pytest.mark.parametrize(
    ("turns", "limits", "reason"),
    [
        ([turn(text("No."), more='stop_reason = "refusal"')], {}, "the model refused to do this: No."),
        ([turn(more='stop_reason = "refusal"')], {}, "the model refused to do this"),
        (
            [turn(text("So long"), more='stop_reason = "max_tokens"')],
            {},
            "the model's answer was longer than 32,000 tokens (max_output_tokens)",
        ),
        (
            [turn(text("x"), more='stop_reason = "model_context_window_exceeded"')],
            {},
            "the conversation is longer than the model can take",
        ),
        ([turn(call("list_files"))] * 3, {"turns": 2}, "it was not done after 2 answers of the model (max_turns)"),
        (
            [turn(call("list_files"), more="usage = { input = 900, output = 100 }")] * 3,
            {"tokens": 2000},
            "its budget of 2,000 tokens is spent (2,000; max_tokens)",
        ),
        (
            [turn(call("list_files"), more="usage = { input = 0, output = 100000 }")] * 3,
            {"cost_usd": 1.5},
            "its budget of $1.50 is spent ($2.00; max_cost_usd)",
        ),
        (
            [turn(call("read_file", path="b.py"), call("list_files"))] * 5,
            {},
            "the same call failed 4 times (read file b.py): b.py: no such file or directory.",
        ),
    ],
)
async def test_it_stops_and_says_why(stage: Stage, turns: list[str], limits: dict[str, Any], reason: str) -> None:
    assert await stage.play(play(*turns), Limits(**limits)) == Outcome(1, reason)


async def test_a_budget_in_dollars_needs_a_price(stage: Stage) -> None:
    stage.settings["model"] = "of-my-own"
    outcome = await stage.play(play(DONE), Limits(cost_usd=1))
    assert outcome.reason == (
        "max_cost_usd is set, but what of-my-own costs is not known: set max_tokens for it instead"
    )


async def test_tests_may_fail_again_and_again_while_something_changes(stage: Stage) -> None:
    fails = turn(call("run_command", command="false"))
    turns = [part for n in range(6) for part in (fails, turn(call("write_file", path="a.py", content=f"{n}")))]
    assert await stage.play(play(*turns, DONE)) == Outcome(0)


async def test_malformed_input_is_told_to_the_model(stage: Stage) -> None:
    cut = turn('{ tool = "write_file", input_json = "{\\"path\\": \\"x" }')
    listed = turn('{ tool = "write_file", input_json = "[1]" }')
    unknown = turn(call("launch"))
    assert await stage.play(play(cut, listed, unknown, DONE)) == Outcome(0)
    said = "!The input of write_file was not a JSON object. Send the call again."
    assert stage.results[:2] == [said, said]
    assert stage.results[2].startswith("!There is no tool 'launch'. The tools are: read_file,")


async def test_halves_of_characters_harm_nothing(stage: Stage) -> None:
    said = turn(text("so"), call("write_file", path="a.py", content="x\ud83dy"), call("read_file", path="\udc80"))
    assert await stage.play(play(said, DONE), prompt="Do \udcff it.") == Outcome(0)
    assert (stage.worktree / "a.py").read_text() == "x?y"


# What goes wrong on the way


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('{ kind = "overloaded", times = 2 }', "status 529: Overloaded"),
        ('{ kind = "rate_limit", retry_after = 7, times = 2 }', "status 429"),
        ('{ kind = "server_error", times = 2 }', "status 500"),
        ('{ kind = "disconnect", times = 2 }', "Disconnected|RemoteProtocolError|ReadError"),
        ('{ kind = "disconnect", after = 5, times = 2 }', "RemoteProtocolError|broke off|ReadError"),
        ('{ kind = "error", after = 5, times = 2 }', "status 529: Overloaded"),
        ('{ kind = "stall", after = 5, times = 2 }', "ReadTimeout"),
    ],
)
async def test_tried_again_with_a_notice_and_no_double_effect(stage: Stage, fault: str, said: str) -> None:
    import re

    edit = call("run_command", command="echo x >> log")
    assert await stage.play(play(turn(text("I write it."), edit, more=f"faults = [{fault}]"), DONE)) == Outcome(0)
    assert (stage.worktree / "log").read_text() == "x\n"
    assert len(stage.waits) == 2
    notices = [one.text for one in stage.of(Notice)]
    assert len(notices) == 2
    for notice in notices:
        assert re.search(said, notice), notice
        assert "trying again in" in notice
    if "retry_after" in fault:
        assert stage.waits == [7, 7]
    else:
        assert 0.75 <= stage.waits[0] <= 1.25 < stage.waits[1] <= 2.5
    assert stage.of(Text)[0] == Text("I write it.")
    assert len(stage.of(Text)) == 1


async def test_what_a_broken_answer_took_is_counted(stage: Stage) -> None:
    usage = 'usage = { input = 1000, output = 50 }\nfaults = [{ kind = "disconnect", after = 4 }]'
    assert await stage.play(play(turn(text("Done."), more=usage))) == Outcome(0)
    (counted,) = stage.of(Usage)
    assert counted.input == 2000


async def test_it_gives_up_in_the_end(stage: Stage) -> None:
    outcome = await stage.play(play(turn(text("x"), more='faults = [{ kind = "overloaded", times = 50 }]')))
    assert outcome.exit_status == 1
    assert "did not answer after 8 tries: status 529: Overloaded." in (outcome.reason or "")
    assert len(stage.waits) == 7


async def test_a_server_that_is_not_there(stage: Stage) -> None:
    outcome = await stage.backend("http://127.0.0.1:9").attempt(stage.attempt, stage)
    assert (outcome.reason or "").startswith("http://127.0.0.1:9 did not answer after 8 tries: ConnectError")


@asynccontextmanager
async def refusing(stage: Stage, status: int, message: str, body: str, *, times: int) -> AsyncIterator[str]:
    """A server that refuses so many requests, and hands the others to the replay server."""
    from mux_lsp.agents.replay.listening import Exchange, listen
    from mux_lsp.agents.replay.server import _Player

    player = _Player(script.parse(body, "play.toml"))

    async def answer(exchange: Exchange) -> None:
        stage.requests.append(json.loads(exchange.body))
        if len(stage.requests) <= times:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
            await exchange.whole(status, json.dumps(error).encode(), {})
        else:
            await player.answer(exchange)

    async with listen(answer) as url:
        yield url


async def test_context_management_that_a_server_does_not_know(stage: Stage) -> None:
    body = play(turn(call("list_files")), DONE)
    async with refusing(stage, 400, "context_management: Extra inputs are not permitted", body, times=1) as url:
        assert await stage.backend(url).attempt(stage.attempt, stage) == Outcome(0)
    assert ["context_management" in one for one in stage.requests] == [True, False, False]
    assert [one.text for one in stage.of(Notice)] == [
        "The server does not manage the context; the conversation goes on without that."
    ]


async def test_what_is_asked_of_the_server(stage: Stage) -> None:
    stage.settings["effort"] = "high"
    body = play(turn(call("list_files")), turn(call("list_files")), DONE)
    async with refusing(stage, 0, "", body, times=0) as url:
        assert await stage.backend(url).attempt(stage.attempt, stage) == Outcome(0)
    last = stage.requests[-1]
    assert last["output_config"] == {"effort": "high"}
    assert "cache_control" in last["system"][0]
    marked = [["cache_control" in block for block in message["content"]] for message in last["messages"]]
    assert marked == [[False], [False], [True], [False], [True]]
    assert str(stage.worktree) in last["system"][0]["text"]
    # Nothing but the marks changes from one request to the next, so that the cache is hit.
    for before, after in zip(stage.requests, stage.requests[1:], strict=False):
        plain = [_unmarked(one["messages"]) for one in (before, after)]
        assert plain[1][: len(plain[0])] == plain[0]
        assert before["tools"] == after["tools"]
        assert before["system"] == after["system"]


def _unmarked(messages: list[Any]) -> list[Any]:
    return [
        [{key: value for key, value in block.items() if key != "cache_control"} for block in message["content"]]
        for message in messages
    ]


async def test_a_server_that_repeats_the_key_does_not_get_it_into_a_reason(stage: Stage) -> None:
    async with refusing(stage, 401, f"invalid key {KEY}", play(DONE), times=9) as url:
        outcome = await stage.backend(url).attempt(stage.attempt, stage)
    assert outcome.reason is not None
    assert "refused the key (status 401)" in outcome.reason
    assert "invalid key [key]" in outcome.reason
    assert KEY not in outcome.reason


# Going on


async def stopped_while(stage: Stage, body: str, kind: type[Any]) -> None:
    """The daemon ends in a moment that an event tells."""
    async with stage.playing(body) as url:
        work = asyncio.create_task(stage.backend(url).attempt(stage.attempt, stage))
        await stage.until(kind)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert work.cancelled()


async def test_it_goes_on_after_an_answer_that_broke_off(stage: Stage) -> None:
    said = turn(text("I write it."), call("run_command", command="echo x >> log"))
    await stopped_while(stage, play(turn(text("I wr" * 50), more="events_per_second = 5")), TextPart)
    assert [line["kind"] for line in stage.conversation()] == ["prompt"]
    assert await stage.play(play(said, DONE)) == Outcome(0)
    assert (stage.worktree / "log").read_text() == "x\n"


async def test_a_call_that_was_cut_off_is_told_and_not_run_again(stage: Stage) -> None:
    os.mkfifo(stage.folder / "up")
    body = play(
        turn(
            call("run_command", command=f"echo x >> log; sleep 1000; echo y >> {stage.folder}/log"),
            call("run_command", command="echo z >> log"),
        ),
        turn(
            text("Done."),
            more='expect = { result_contains = "[interrupted: mux-lsp was stopped", result_is_error = true }',
        ),
    )
    async with stage.playing(body) as url:
        work = asyncio.create_task(stage.backend(url).attempt(stage.attempt, stage))
        import watchfiles

        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in watchfiles.awatch(stage.worktree, rust_timeout=0, debounce=1, step=1):
                if (stage.worktree / "log").exists():
                    break
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert not [one for one in psutil.process_iter() if _is_of(one, stage)]
    assert await stage.play(body) == Outcome(0)
    assert stage.results == [f"!{INTERRUPTED}", ""]
    assert (stage.worktree / "log").read_text() == "x\nz\n"


async def test_half_a_line_of_the_conversation_is_forgotten(stage: Stage) -> None:
    assert await stage.play(play(turn(call("list_files")), DONE)) == Outcome(0)
    file = stage.folder / "run" / CONVERSATION
    lines = file.read_bytes().splitlines(keepends=True)
    for keep in range(1, len(lines)):
        file.write_bytes(b"".join(lines[:keep]) + lines[keep][:20])
        assert await stage.play(play(turn(call("list_files")), DONE)) == Outcome(0), lines[keep]
        kinds = [line["kind"] for line in stage.conversation()]
        assert kinds[-1] == "finished"
        assert kinds.count("message") == 2


async def test_a_damaged_conversation_is_said_to_be_so(stage: Stage) -> None:
    (stage.folder / "run" / CONVERSATION).write_text('{"kind": "prompt", "turn": 0, "text": "x"}\nrubbish\n')
    outcome = await stage.play(play(DONE))
    assert "is damaged in line 2" in (outcome.reason or "")


async def test_a_further_message_goes_on_with_the_conversation(stage: Stage) -> None:
    assert await stage.play(play(DONE)) == Outcome(0)
    follow = turn(text("As you say."), more='expect = { user_contains = "And now?" }')
    assert await stage.play(play(DONE, follow), turn=1, prompt="And now?") == Outcome(0)
    assert stage.of(Final)[-1] == Final("As you say.")


async def test_a_person_ends_it(stage: Stage) -> None:
    async with stage.playing(play(turn(call("run_command", command="sleep 1000")))) as url:
        backend = stage.backend(url)
        work = asyncio.create_task(backend.attempt(stage.attempt, stage))
        await stage.until(ToolCall)
        await backend.cancel(stage.attempt, None)
        assert await work == Outcome(1, "cancelled")
    assert not [one for one in psutil.process_iter() if _is_of(one, stage)]
