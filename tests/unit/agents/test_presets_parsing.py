"""Test how the preset agents' output is parsed into events: recorded output of the real programs, and any other."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.agents.events import (
    Event,
    FileTouched,
    Final,
    Notice,
    Plan,
    PlanEntry,
    Raw,
    Session,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Usage,
)
from mux_lsp.agents.presets.registry import PRESETS

SAMPLES = Path(__file__).parent / "samples"

REFUSED = "Opus 4.8 (1M context)'s safeguards flagged this message"

TOOK = {
    "claude": Usage(64983, 74, 100, 60, 0.32719),
    "claude-retry": Usage(42864, 14, 0, 0, 0.21467),
    "opencode": Usage(420, 70, 280, 0, 0.00077),
}

# The relevant part of each event: its kind, and the text that a person would miss.
SEEN = {
    "claude": [
        Thought("Let me see."),
        Text("I write the first file now."),
        "Write one.txt",
        True,
        FileTouched("one.txt"),
        "Edit one.txt",
        True,
        FileTouched("one.txt"),
        "Bash cat one.txt",
        True,
        Text("All done."),
        Final("All done."),
    ],
    "claude-retry": [
        Notice("the API answered 529; attempt 1 of 10 follows"),
        Notice("the API answered 529; attempt 2 of 10 follows"),
        "Write r.txt",
        True,
        FileTouched("r.txt"),
        Text("Retried."),
        Final("Retried."),
    ],
    "codex": [
        Notice(
            "Model metadata for `gpt-4.1` not found. Defaulting to fallback metadata; this can degrade performance and "
            "cause issues."
        ),
        Thought("I look first."),
        Text("I look at the file."),
        "run /bin/bash -lc 'cat a.txt'",
        True,
        "edit /work/project/a.txt /work/project/b.txt",
        True,
        FileTouched("/work/project/a.txt"),
        FileTouched("/work/project/b.txt"),
        Text("Done."),
        Usage(300, 50, 200),
        Final("Done."),
    ],
    "gemini": [
        Text("I look at the file."),
        "read_file a.txt",
        True,
        "write_file b.txt",
        True,
        FileTouched("b.txt"),
        "replace a.txt",
        True,
        FileTouched("a.txt"),
        "run_shell_command cat a.txt",
        True,
        "write_todos",
        False,
        Text("Done."),
        Usage(360, 60, 240),
        Final("Done."),
    ],
    "opencode": [
        Thought("I look first."),
        Text("I look at the file."),
        "read /work/project/a.txt",
        True,
        "write b.txt",
        True,
        FileTouched("b.txt"),
        "edit /work/project/a.txt",
        True,
        FileTouched("/work/project/a.txt"),
        "bash cat a.txt",
        True,
        "todowrite",
        True,
        Plan((PlanEntry("one", "done"), PlanEntry("two", "active"))),
        "bash python3 -c 1",
        False,
        Text("Done."),
        Final("Done."),
    ],
    "copilot": [
        Text("I look."),
        "view /work/project/a.txt",
        True,
        "create /work/project/d.txt",
        True,
        FileTouched("/work/project/d.txt"),
        "bash python3 -c 1",
        False,
        "bash cat a.txt",
        True,
        Text("Done."),
        Final("Done."),
    ],
}
SESSIONS = {
    "claude": "7e876102-5f82-4b43-a939-0c5466b87ba9",
    "claude-retry": "91f8bf24-2959-4c21-87b0-a61efb95cffe",
    "codex": "01a20b18-dd89-7fb3-9cdb-bc22e05dd3e3",
    "gemini": "f0632e5e-2647-4cd1-9357-c6d98c5abe71",
    "opencode": "ses_df4e70a9dffea76NZtvngmqVNI",
    "copilot": "c0cad091-0e04-4d11-83af-876a3bacb0ca",
}


def lines_of(sample: str) -> list[str]:
    return (SAMPLES / f"{sample}.jsonl").read_text().splitlines()


def events_of(preset: str, lines: list[str]) -> list[Event]:
    parser = PRESETS[preset].parser()
    return [*(event for line in lines for event in parser.feed(line)), *parser.finish()]


def seen(event: Event) -> object:
    """Reduce a call to its title and a result to whether it succeeded."""
    match event:
        case ToolCall(title=title):
            return title
        case ToolResult(ok=ok):
            return ok
        case _:
            return event


@pytest.mark.parametrize("sample", SEEN)
def test_what_the_real_one_printed(sample: str) -> None:
    preset = sample.partition("-")[0]
    events = events_of(preset, lines_of(sample))
    assert {event.id for event in events if isinstance(event, Session)} == {SESSIONS[sample]}
    told = [seen(event) for event in events if not isinstance(event, Session)]
    if (took := TOOK.get(sample)) is not None:
        # Its output has the usage of each request.
        whole = reduce(Usage.plus, (one for one in told if isinstance(one, Usage)))
        assert astuple(whole) == pytest.approx(astuple(took))
        told = [one for one in told if not isinstance(one, Usage)]
    assert told == SEEN[sample]
    calls = [event.id for event in events if isinstance(event, ToolCall)]
    assert [event.id for event in events if isinstance(event, ToolResult)] == calls


@pytest.mark.parametrize(
    ("sample", "reason"),
    [("claude-400", "API Error: 400 f.toml has no conversation"), ("claude-refuse", f"API Error: {REFUSED}")],
)
def test_it_says_itself_why_it_failed(sample: str, reason: str) -> None:
    parser = PRESETS["claude"].parser()
    for line in lines_of(sample):
        parser.feed(line)
    outcome = parser.outcome(0)
    assert outcome.exit_status == 1
    assert outcome.reason is not None
    assert outcome.reason.startswith(reason)
    assert "\n" not in outcome.reason
    assert len(outcome.reason) <= 501
    parser.begin_turn()
    assert parser.outcome(0).reason is None


@pytest.mark.parametrize(
    ("preset", "line", "reason"),
    [
        ("codex", {"type": "turn.failed", "error": {"message": "no\nkey"}}, "no key"),
        ("gemini", {"type": "result", "status": "error", "error": {"message": "quota"}}, "quota"),
        ("opencode", {"type": "error", "error": {"name": "E", "data": {"message": "no model"}}}, "no model"),
        ("opencode", {"type": "error", "error": {"name": "E"}}, "E"),
        ("copilot", {"type": "session.error", "data": {"message": "who are you?"}}, "who are you?"),
        ("cursor-agent", {"type": "result", "is_error": True, "result": "no plan"}, "no plan"),
    ],
)
def test_failures_of_the_others(preset: str, line: object, reason: str) -> None:
    parser = PRESETS[preset].parser()
    parser.feed(json.dumps(line))
    assert (parser.outcome(0).exit_status, parser.outcome(0).reason) == (1, reason)
    assert parser.outcome(7).exit_status == 7


def test_codex_counts_from_the_beginning_of_a_thread() -> None:
    def turn(total: int, thread: str) -> list[str]:
        usage = {"input_tokens": total, "cached_input_tokens": total // 4, "output_tokens": total // 10}
        started = {"type": "thread.started", "thread_id": thread}
        return [json.dumps(started), json.dumps({"type": "turn.completed", "usage": usage})]

    events = events_of("codex", [*turn(100, "a"), *turn(300, "a"), *turn(40, "b")])
    assert [event for event in events if isinstance(event, Usage)] == [
        Usage(75, 10, 25),
        Usage(150, 20, 50),
        Usage(30, 4, 10),
    ]


def test_what_claude_takes_is_told_as_it_goes() -> None:
    """Limits hold while it works, and an interrupted agent's usage is counted."""

    def said(message: str, **more: Any) -> str:
        usage = {"input_tokens": 1000, "output_tokens": 1, "cache_read_input_tokens": 500}
        of = {"id": message, "model": "claude-opus-5", "usage": usage, "content": [{"type": "text", "text": "x"}]}
        return json.dumps({"type": "assistant", "message": {**of, **more}})

    def ended(cost: float, tokens: int) -> str:
        by_model = {"claude-opus-5": {"inputTokens": tokens, "outputTokens": 50, "cacheReadInputTokens": 500}}
        return json.dumps({"type": "result", "subtype": "success", "total_cost_usd": cost, "modelUsage": by_model})

    parser = PRESETS["claude"].parser()

    def took(*lines: str) -> list[Usage]:
        return [event for line in lines for event in parser.feed(line) if isinstance(event, Usage)]

    one = Usage(1000, 1, 500, 0, 0.005275)
    assert took(said("a"), said("a")) == [one], "each part of an answer repeats it"
    assert took(said("b"), said("c", model="of tomorrow")) == [one, replace(one, cost_usd=None)]
    # The usage not yet reported: the rest of the answers, and requests without an answer.
    [rest] = took(ended(0.05, 3200))
    assert astuple(rest) == pytest.approx((200, 47, 0, 0, 0.05 - 2 * 0.005275))
    parser.begin_turn()
    assert took(said("d")) == [one]
    parser.begin_turn()  # it was interrupted
    assert took(ended(0.001, 10)) == [Usage(10, 50, 500, 0, 0.001)]
    assert took(said("e"), ended(0.001, 10))[1].cost_usd == 0, "what is told is not taken back"


def test_what_cursor_agent_is_said_to_print() -> None:
    call = {"writeToolCall": {"args": {"path": "a.txt", "fileText": "x"}}}
    done = {"writeToolCall": {"args": {"path": "a.txt"}, "result": {"success": {"linesCreated": 1}}}}
    messages = [
        {"type": "system", "subtype": "init", "session_id": "abc", "model": "auto"},
        {"type": "thinking", "subtype": "delta", "text": "I "},
        {"type": "thinking", "subtype": "delta", "text": "see."},
        {"type": "thinking", "subtype": "completed"},
        {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "Now."}]}},
        {"type": "tool_call", "subtype": "started", "call_id": "1", "tool_call": call},
        {"type": "tool_call", "subtype": "completed", "call_id": "1", "tool_call": done},
        {"type": "result", "subtype": "success", "is_error": False, "result": "Now.", "session_id": "abc"},
    ]
    assert [seen(event) for event in events_of("cursor-agent", [json.dumps(one) for one in messages])] == [
        Session("abc"),
        Thought("I see."),
        Text("Now."),
        "write a.txt",
        True,
        FileTouched("a.txt"),
        Usage(),
        Final("Now."),
    ]


def test_what_aider_prints() -> None:
    printed = [
        "Aider v0.86.1",
        "",
        "I will greet.",
        "Applied edit to greeting.txt",
        "Tokens: 2.4k sent, 1.1k cache write, 310 received. Cost: $0.01 message, $1,002.50 session.",
    ]
    assert events_of("aider", printed) == [
        Text("Aider v0.86.1"),
        Text("I will greet."),
        FileTouched("greeting.txt"),
        Usage(2400, 310, 0, 1100, 0.01),
    ]


def test_a_number_that_is_none_is_what_aider_says() -> None:
    line = f"Tokens: {'9' * 400} sent, 1 received."
    assert events_of("aider", [line]) == [Text(line)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("preset", PRESETS)
@given(line=st.text(max_size=200) | VALUES.map(json.dumps))
def test_no_line_raises(preset: str, line: str) -> None:
    parser = PRESETS[preset].parser()
    parser.feed(line)
    parser.finish()
    parser.outcome(0)


@given(data=st.data(), value=VALUES)
def test_no_damaged_line_raises(data: st.DataObject, value: object) -> None:
    """A line of the real output, with one of its values replaced."""
    sample = data.draw(st.sampled_from(sorted(SEEN)))
    lines = lines_of(sample)
    at = data.draw(st.integers(0, len(lines) - 1))
    message = json.loads(lines[at])
    inner = message
    while True:
        places = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        place = data.draw(st.sampled_from(places))
        if not isinstance(inner[place], (dict, list)) or not inner[place] or data.draw(st.booleans()):
            inner[place] = value
            break
        inner = inner[place]
    events = events_of(sample.partition("-")[0], [*lines[:at], json.dumps(message), *lines[at + 1 :]])
    for event in events:
        if isinstance(event, (Text, Thought, Raw, Final, Notice)):
            assert isinstance(event.text, str)
        if isinstance(event, Usage):
            assert event.tokens >= 0


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "aider"])
def test_what_cannot_be_read_is_kept_in_bounds(preset: str) -> None:
    for line in ("no JSON", "[1]", '{"type": "of tomorrow"}', '{"no": "type"}', "{" * 100_000):
        [event] = events_of(preset, [line])
        assert isinstance(event, Raw)
        assert len(event.text) < 2_100
