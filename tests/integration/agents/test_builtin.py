"""Test the built-in agent with its real loop and tools against the replay server: actions and reasons to stop."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import watchfiles

from mux_lsp.agents.backend import Outcome
from mux_lsp.agents.builtin.conversation import CONVERSATION, INTERRUPTED
from mux_lsp.agents.builtin.loop import TurnLimits
from mux_lsp.agents.events import Final, Notice, Text, TextPart, Thought, ToolCall, Usage
from tests.integration.agents.builtin import WAIT_SECONDS, is_of, play
from tests.support.replaying import DONE, call, text, turn

if TYPE_CHECKING:
    from tests.integration.agents.builtin import Stage

# The prompt


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


# Reasons to stop


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
    assert await stage.play(play(*turns), TurnLimits(**limits)) == Outcome(1, reason)


async def test_a_budget_in_dollars_needs_a_price(stage: Stage) -> None:
    stage.settings["model"] = "of-my-own"
    outcome = await stage.play(play(DONE), TurnLimits(cost_usd=1))
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


async def test_input_that_is_cut_off_is_told_to_the_model_too(stage: Stage) -> None:
    cut = turn(call("write_file", path="x", content="y"), more='faults = [{ kind = "malformed_input" }]')
    told = turn(text("Again."), more='expect = { result_contains = "was not a JSON object", result_is_error = true }')
    assert await stage.play(play(cut, told)) == Outcome(0)
    assert not (stage.worktree / "x").exists()


async def test_halves_of_characters_harm_nothing(stage: Stage) -> None:
    said = turn(text("so"), call("write_file", path="a.py", content="x\ud83dy"), call("read_file", path="\udc80"))
    assert await stage.play(play(said, DONE), prompt="Do \udcff it.") == Outcome(0)
    assert (stage.worktree / "a.py").read_text() == "x?y"


# Failures on the way


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('{ kind = "overloaded", times = 2 }', "status 529: Overloaded"),
        ('{ kind = "rate_limit", retry_after = 7, times = 2 }', "status 429"),
        ('{ kind = "server_error", times = 2 }', "status 500"),
        ('{ kind = "disconnect", times = 2 }', "Server disconnected"),
        ('{ kind = "disconnect", after = 5, times = 2 }', "ClientPayloadError: .*not completed"),
        ('{ kind = "error", after = 5, times = 2 }', "status 529: Overloaded"),
        ('{ kind = "stall", after = 5, times = 2 }', "Timeout on reading"),
    ],
)
async def test_tried_again_with_a_notice_and_no_double_effect(stage: Stage, fault: str, said: str) -> None:
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


async def test_a_slow_answer_is_waited_for(stage: Stage) -> None:
    # In all much longer than the stall limit.
    slow = turn(text("one two three four five six"), more='faults = [{ kind = "slow", events_per_second = 12 }]')
    assert await stage.play(play(slow)) == Outcome(0)
    assert stage.of(Final) == [Final("one two three four five six")]
    assert len(stage.of(TextPart)) > 1
    assert stage.waits == []


async def test_what_a_broken_answer_took_is_counted(stage: Stage) -> None:
    usage = 'usage = { input = 1000, output = 50 }\nfaults = [{ kind = "disconnect", after = 4 }]'
    assert await stage.play(play(turn(text("Done."), more=usage))) == Outcome(0)
    (counted,) = stage.of(Usage)
    assert counted.input == 2000


async def test_what_was_paid_for_nothing_is_counted_too(stage: Stage) -> None:
    breaks = 'usage = { input = 1000, output = 50 }\nfaults = [{ kind = "disconnect", after = 4, times = 50 }]'
    assert (await stage.play(play(turn(text("Done."), more=breaks)))).exit_status == 1
    assert [one.input for one in stage.of(Usage)] == [8000]


async def test_what_an_answer_took_until_it_was_ended_is_counted(stage: Stage) -> None:
    slow = "usage = { input = 1000, output = 50 }\nevents_per_second = 5"
    async with stage.playing(play(turn(text("One word after the other. " * 20), more=slow))) as url:
        backend = stage.backend(url)
        work = asyncio.create_task(backend.attempt(stage.attempt, stage))
        await stage.until(TextPart)
        await backend.cancel(stage.attempt, None)
        assert await work == Outcome(1, "cancelled")
    assert [one.input for one in stage.of(Usage)] == [1000]


async def test_it_gives_up_in_the_end(stage: Stage) -> None:
    outcome = await stage.play(play(turn(text("x"), more='faults = [{ kind = "overloaded", times = 50 }]')))
    assert outcome.exit_status == 1
    assert "did not answer after 8 tries: status 529: Overloaded." in (outcome.reason or "")
    assert len(stage.waits) == 7


async def test_a_server_that_is_not_there(stage: Stage) -> None:
    outcome = await stage.backend("http://127.0.0.1:9").attempt(stage.attempt, stage)
    assert (outcome.reason or "").startswith("http://127.0.0.1:9 did not answer after 8 tries: ConnectError")


# Resuming


async def stopped_while(stage: Stage, body: str, kind: type[Any]) -> None:
    """Run the attempt and end the daemon when an event of this kind comes."""
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
        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in watchfiles.awatch(stage.worktree, rust_timeout=0, debounce=1, step=1):
                if (stage.worktree / "log").exists():
                    break
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert not [one for one in psutil.process_iter() if is_of(one, stage)]
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
    assert not [one for one in psutil.process_iter() if is_of(one, stage)]
