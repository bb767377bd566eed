"""Test the built-in agent's requests to the Messages API, and how it handles unusual answers."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.agents.backend import Outcome
from mux_lsp.agents.events import Final, Notice, Usage
from tests.integration.agents.builtin import KEY, Refusal, Stream, play
from tests.support.replaying import DONE, call, text, turn

if TYPE_CHECKING:
    from tests.integration.agents.builtin import Stage

LIST = turn(call("list_files"))


async def test_what_is_asked_of_the_server(stage: Stage) -> None:
    stage.settings["effort"] = "high"
    assert await stage.play(play(LIST, LIST, DONE)) == Outcome(0)
    last = stage.requests[-1]
    assert last["output_config"] == {"effort": "high"}
    assert "cache_control" in last["system"][0]
    marked = [["cache_control" in block for block in message["content"]] for message in last["messages"]]
    assert marked == [[False], [False], [True], [False], [True]]
    assert str(stage.worktree) in last["system"][0]["text"]
    # Only the cache marks change from one request to the next, so that the cache is hit.
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
    outcome = await stage.play(play(DONE), first=[Refusal(401, f"invalid key {KEY}")])
    assert outcome.reason is not None
    assert "refused the key (status 401)" in outcome.reason
    assert "invalid key [key]" in outcome.reason
    assert KEY not in outcome.reason


# The context


def _edits(stage: Stage) -> list[list[str]]:
    managing = (one.get("context_management", {"edits": []}) for one in stage.requests)
    return [[edit["type"] for edit in one["edits"]] for one in managing]


async def test_the_server_is_asked_for_what_it_can_do_to_keep_the_context_small(stage: Stage) -> None:
    no_summary = Refusal(400, "context_management.edits.1: compact_20260112 is not supported by this model.")
    assert await stage.play(play(LIST, DONE), first=[no_summary]) == Outcome(0)
    both, clearing = ["clear_tool_uses_20250919", "compact_20260112"], ["clear_tool_uses_20250919"]
    assert _edits(stage) == [both, clearing, clearing]
    assert [one.text for one in stage.of(Notice)] == [
        "The server does not sum up a long conversation; the conversation goes on without that."
    ]


async def test_a_server_that_knows_nothing_of_contexts(stage: Stage) -> None:
    unknown = Refusal(400, "context_management: Extra inputs are not permitted")
    assert await stage.play(play(LIST, DONE), first=[unknown, unknown]) == Outcome(0)
    assert [bool(one) for one in _edits(stage)] == [True, True, False, False]
    assert stage.of(Notice)[-1].text == "The server does not manage the context; the conversation goes on without that."


def _answer(*blocks: tuple[dict[str, Any], dict[str, Any]], usage: dict[str, Any]) -> Stream:
    """Return an answer of blocks, each with the content of its delta."""
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 1000, "output_tokens": 1}}}
    ]
    for index, (block, delta) in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    events += [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return Stream(tuple(events))


SAID = ({"type": "text", "text": ""}, {"type": "text_delta", "text": "So far."})
SUMMARY = (
    {"type": "compaction", "content": None},
    {"type": "compaction_delta", "content": "We did this.", "encrypted_content": "c2VjcmV0"},
)
NO_SUMMARY = (
    {"type": "compaction", "content": None},
    {"type": "compaction_delta", "content": None, "encrypted_content": None},
)


@pytest.mark.parametrize(
    ("block", "goes_back"),
    [
        (SUMMARY, {"type": "compaction", "content": "We did this.", "encrypted_content": "c2VjcmV0"}),
        # The API would refuse an empty text in place of null.
        (NO_SUMMARY, {"type": "compaction", "content": None}),
    ],
)
async def test_a_summary_goes_back_as_it_came(stage: Stage, block: Any, goes_back: dict[str, Any]) -> None:
    assert await stage.play(play(DONE), first=[_answer(block, SAID, usage={"output_tokens": 50})]) == Outcome(0)
    assert await stage.play(play(DONE, DONE), turn=1, prompt="Go on.") == Outcome(0)
    assert stage.requests[-1]["messages"][1]["content"] == [goes_back, {"type": "text", "text": "So far."}]


async def test_what_a_summary_took_is_counted(stage: Stage) -> None:
    """The API does not include it in the tokens of the answer."""
    more = {"input_tokens": 150_000, "output_tokens": 2_000, "cache_read_input_tokens": 0}
    iterations = [{"type": "compaction", **more}, {"type": "message", "input_tokens": 1000, "output_tokens": 50}]
    usage = {"input_tokens": 1000, "output_tokens": 50, "iterations": iterations}
    assert await stage.play(play(DONE), first=[_answer(SUMMARY, SAID, usage=usage)]) == Outcome(0)
    (counted,) = stage.of(Usage)
    assert (counted.input, counted.output) == (151_000, 2_050)
    assert counted.cost_usd == pytest.approx((151_000 * 2 + 2_050 * 10) / 1e6)


# The repository's instructions


async def test_instructions_are_those_of_the_folders_where_the_work_is(stage: Stage) -> None:
    (stage.worktree / "AGENTS.md").write_text("At the root.")
    (stage.worktree / "CLAUDE.md").symlink_to("AGENTS.md")
    (stage.worktree / "src").mkdir()
    (stage.worktree / "src" / "CLAUDE.md").write_text("In src.")
    (stage.worktree / "src" / "f").write_text("f\n")
    read = turn(call("read_file", path="src/f"))
    assert await stage.play(play(read, read, DONE)) == Outcome(0)
    assert stage.results == ["1\tf", "1\tf"]
    for request in stage.requests:
        assert request["system"][0]["text"].endswith('<instructions file="AGENTS.md">\nAt the root.\n</instructions>')
    given = '<instructions file="src/CLAUDE.md">\nIn src.\n</instructions>'
    assert _given(stage) == [["Do it."], [given], []]
    # Nor again when a further message follows.
    more = play(turn(text("-")), turn(text("-")), turn(text("-")), read, DONE)
    assert await stage.play(more, turn=1, prompt="More.") == Outcome(0)
    assert _given(stage, 3) == [["More."], []]
    # Instructions in the summarised part are no longer in the context, so they are sent again.
    summed_up = turn('{ raw = \'{"type": "compaction", "content": "It went on."}\' }', call("list_files"))
    more = play(*[turn(text("-"))] * 5, summed_up, read, DONE)
    assert await stage.play(more, turn=2, prompt="And more.") == Outcome(0)
    assert _given(stage, 5) == [["And more."], [], [given]]


def _given(stage: Stage, begun: int = 0) -> list[list[str]]:
    """Return the texts beside the last results of each request, or without any results, from a request on."""
    last = [request["messages"][-1]["content"] for request in stage.requests[begun:]]
    return [[block["text"] for block in content if block["type"] == "text"] for content in last]


# Refusals and waits


async def test_a_refusal_is_told_in_the_words_of_the_api(stage: Stage) -> None:
    refused = turn(
        more='stop_reason = "refusal"\nstop_details = { category = "cyber", explanation = "This could harm." }'
    )
    assert await stage.play(play(refused)) == Outcome(1, "the model refused to do this: This could harm.")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 520, 524, 529])
async def test_what_passes_is_tried_again(stage: Stage, status: int) -> None:
    assert await stage.play(play(DONE), first=[Refusal(status, "Later.")]) == Outcome(0)
    assert len(stage.waits) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [(400, {}), (422, {}), (429, {"x-should-retry": "false"}), (500, {"x-should-retry": "false"})],
)
async def test_what_does_not_pass_is_told_at_once(stage: Stage, status: int, headers: dict[str, str]) -> None:
    outcome = await stage.play(play(DONE), first=[Refusal(status, "Not this.", headers)])
    assert outcome.reason is not None
    assert outcome.reason.endswith(f"refused the request (status {status}): Not this.")
    assert stage.waits == []


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("0.5", 0.5, 0.5),
        ("120", 120, 120),
        ("86400", 600, 600),
        ("-3", 0, 0),
        ("a while", 0.75, 1.25),
        ("nan", 0.75, 1.25),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
    ],
)
async def test_the_server_says_how_long_to_wait(stage: Stage, said: str, least: float, most: float) -> None:
    assert await stage.play(play(DONE), first=[Refusal(529, "Later.", {"retry-after": said})]) == Outcome(0)
    (waited,) = stage.waits
    assert least <= waited <= most


async def test_the_server_says_until_when_to_wait(stage: Stage) -> None:
    until = formatdate(time.time() + 90, usegmt=True)
    assert await stage.play(play(DONE), first=[Refusal(429, "Later.", {"retry-after": until})]) == Outcome(0)
    (waited,) = stage.waits
    assert 60 < waited <= 90
    assert stage.of(Final) == [Final("It is done.")]
