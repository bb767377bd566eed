"""Test scripts of the replay server: content, error messages, and that a written script reads back equal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.agents.replay.messages_api import ApiError, input_text, json_pieces, text_pieces, whole
from mux_lsp.agents.replay.request import check, is_for, read, understand, unmet
from mux_lsp.agents.replay.script import Block, Expect, ScriptedConversation, ScriptedUsage, Turn, load, parse
from mux_lsp.agents.replay.script_writer import write
from mux_lsp.agents.replay.stream_reader import as_key, message_turn
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '[[conversation.turn]]\ncontent = [{ text = "Hello." }]\n'
HEAD = "[[conversation]]\n"


def turn(settings: str, content: str = '[{ text = "Hello." }]') -> str:
    """Return a script whose second conversation has a second turn with these settings."""
    return f"{HEAD}{TEXT}{HEAD}{TEXT}[[conversation.turn]]\ncontent = {content}\n{settings}\n"


def block(settings: str) -> str:
    """Return the same script with these settings in a second block of content."""
    return turn("", f'[{{ text = "Hello." }}, {{ {settings} }}]')


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "play.toml, conversation: field required."),
        ("conversation = []", "play.toml, conversation: there has to be at least one."),
        ("[[conversation]", "play.toml is not valid TOML: "),
        (HEAD, "play.toml, conversation 1, turn: field required."),
        (f'{HEAD}modle = "x"\n{TEXT}', "play.toml, conversation 1, modle: is not a setting; check its spelling."),
        (
            f"{HEAD}events_per_second = 0\n{TEXT}",
            "play.toml, conversation 1, events_per_second: input should be greater",
        ),
        (turn("faults = 3"), "play.toml, conversation 2, turn 2, faults: input should be a valid tuple."),
        (
            turn('faults = [{ kind = "slow" }, { kind = "fire" }]'),
            "play.toml, conversation 2, turn 2, faults 2, kind: input should be 'overloaded', ",
        ),
        (
            turn('faults = [{ kind = "overloaded", after = 1, seconds = 2 }]'),
            "play.toml, conversation 2, turn 2, faults 1: overloaded has no setting after, seconds.",
        ),
        (turn('stop_reason = "bored"'), "play.toml, conversation 2, turn 2, stop_reason: input should be 'end_turn', "),
        (
            turn('stop_details = { category = "bio" }'),
            'play.toml, conversation 2, turn 2: stop_details belong to stop_reason = "refusal".',
        ),
        (turn("usage = { input = -1 }"), "play.toml, conversation 2, turn 2, usage, input: input should be greater"),
        (turn("delay = nan"), "play.toml, conversation 2, turn 2, delay: input should be"),
        (turn("expect = { result = 3 }"), "play.toml, conversation 2, turn 2, expect, result: is not a setting"),
        (block(""), "play.toml, conversation 2, turn 2, content 2: has to be exactly one of text, thinking,"),
        (
            block('text = "a", tool = "b"'),
            "play.toml, conversation 2, turn 2, content 2: has to be exactly one of text, thinking,",
        ),
        (block('tool = "a b"'), "play.toml, conversation 2, turn 2, content 2, tool: string should match pattern"),
        (
            block('text = "a", input = {}'),
            "play.toml, conversation 2, turn 2, content 2: id, input and input_json belong to a tool.",
        ),
        (
            block('text = "a", signature = "s"'),
            "play.toml, conversation 2, turn 2, content 2: signature belongs to thinking.",
        ),
        (
            block('tool = "a", input = {}, input_json = "{}"'),
            "play.toml, conversation 2, turn 2, content 2: input and input_json say the same thing; leave one",
        ),
        (block('raw = "[]"'), "play.toml, conversation 2, turn 2, content 2: raw has to be a JSON object with a type."),
        (block('raw = "{"'), "play.toml, conversation 2, turn 2, content 2: raw has to be a JSON object with a type."),
    ],
)
def test_complaint_names_file_conversation_turn_and_setting(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(text, "play.toml")
    assert str(raised.value).startswith(complaint)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


def test_every_problem_has_its_line() -> None:
    with pytest.raises(UsageError) as raised:
        parse(turn("delay = -1\nusage = { output = -1 }"), "play.toml")
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "play.toml, conversation 2, turn 2, usage, output",
        "play.toml, conversation 2, turn 2, delay",
    ]


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory"), (b"\xff", "it is not UTF-8")])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "play.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=rf"play\.toml cannot be read: {why}\.$"):
        load(file)


def test_example_of_the_documentation_is_a_script() -> None:
    from mux_lsp.agents.replay import script

    example = (script.__doc__ or "").split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    (conversation,) = parse(example, "documentation").conversations
    assert [len(turn.content) for turn in conversation.turn] == [3, 1]


def test_example_of_the_command_is_a_script() -> None:
    from mux_lsp.cli.replaying import replay

    example = (replay.help or "").split("\n\n", 2)[2].replace("\b", "")
    (conversation,) = parse(example, "help").conversations
    assert [len(turn.content) for turn in conversation.turn] == [2, 1]


def test_faults_come_one_after_the_other_each_as_often_as_it_says() -> None:
    text = turn('faults = [{ kind = "overloaded", times = 2 }, { kind = "stall" }, { kind = "slow" }]')
    faulty = parse(text, "play.toml").conversations[1].turn[1]
    kinds = [fault and fault.kind for fault in map(faulty.fault, range(5))]
    assert kinds == ["overloaded", "overloaded", "stall", "slow", None]


# Texts that a model may say and a person may write.
characters = st.text(st.characters(codec="utf-8"), min_size=1)
nasty = st.sampled_from(['"""', '""""', '\\"""\n', 'a\n"', "\r\n", "\n", "\x7f\n\x00", "'''", "\\u0041\n", " \n "])
texts = characters | nasty | st.lists(nasty).map("".join).filter(bool)
names = st.text("abcXYZ_-09", min_size=1, max_size=9)
values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
blocks = st.one_of(
    st.builds(Block, text=texts),
    st.builds(Block, thinking=texts, signature=texts),
    st.builds(Block, redacted=texts),
    st.builds(Block, tool=names),
    st.builds(Block, tool=names, id=names, input=st.dictionaries(texts, values, max_size=3)),
    st.builds(Block, tool=names, input_json=texts),
)
counts = st.none() | st.integers(0, 9)
turns = st.builds(
    Turn,
    content=st.lists(blocks, max_size=3).map(tuple),
    usage=st.builds(ScriptedUsage, input=counts, output=counts, cache_read=st.integers(0, 9)),
    stop_reason=st.sampled_from([None, "max_tokens"]),
)
conversations = st.builds(
    ScriptedConversation,
    model=texts,
    contains=texts,
    turn=st.lists(turns, min_size=1, max_size=3).map(tuple),
)


def meant(conversation: ScriptedConversation) -> dict[str, Any]:
    """Normalise a conversation: an empty input equals an absent one."""
    meaning = conversation.model_dump()
    for told in meaning["turn"]:
        for part in told["content"]:
            part["input"] = part["input"] or None
    return meaning


@given(st.lists(conversations, min_size=1, max_size=2))
def test_what_is_written_is_read_as_it_was(script: list[ScriptedConversation]) -> None:
    assert list(map(meant, parse(write(script), "written").conversations)) == list(map(meant, script))


def test_long_text_is_written_for_a_person_to_read() -> None:
    told = ScriptedConversation(
        model="m",
        contains="do it",
        turn=(Turn(content=(Block(tool="write", input={"path": "a.py", "text": 'print("a")\n"""b"""\n'}),)),),
    )
    assert (
        write([told])
        == '''\
[[conversation]]
model = "m"
contains = "do it"

[[conversation.turn]]

[[conversation.turn.content]]
tool = "write"
[conversation.turn.content.input]
path = "a.py"
text = """
print("a")
\\"\\""b\\"\\""
"""
'''
    )


@given(texts)
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(text_pieces(text)) == text
    assert "".join(json_pieces(text)) == text


def test_text_comes_in_pieces_of_some_words() -> None:
    pieces = list(text_pieces("one two three four five six seven " + "x" * 60))
    assert pieces[:3] == ["one ", "two three four ", "five six "]
    assert max(map(len, pieces)) <= 4 * 48


@given(turns)
def test_message_of_a_turn_is_heard_as_that_turn(told: Turn) -> None:
    heard = message_turn(json.loads(whole(told, "1_1", "msg_1", "m", 1)))
    assert heard.stop_reason == told.stop_reason
    for one, other in zip(heard.content, told.content, strict=True):
        assert (one.text, one.thinking, one.redacted, one.tool) == (
            other.text,
            other.thinking,
            other.redacted,
            other.tool,
        )
        if other.tool is not None and other.input_json is None:
            assert json.loads(input_text(one)) == json.loads(input_text(other))
    assert as_key(heard) == as_key(message_turn(json.loads(whole(told, "1_1", "msg_2", "n", 2))))


def test_turn_is_known_again_when_a_client_has_changed_how_it_tells_it() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    text = {"type": "text", "text": "I edit."}
    call = {"type": "tool_use", "id": "t1", "name": "edit", "input": {"path": "a"}}
    heard = message_turn({"content": [thinking, text, call], "stop_reason": "tool_use"})
    completed = {**call, "input": {"path": "a", "all": False}, "cache_control": {"type": "ephemeral"}}
    assert as_key(message_turn({"content": [text, completed]})) == as_key(heard)
    assert as_key(message_turn({"content": [text, {**call, "id": "t2"}]})) != as_key(heard)
    assert as_key(message_turn({"content": "I edit."})) == as_key(message_turn({"content": [thinking, text]}))


USE = {"type": "tool_use", "id": "t1", "name": "read", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "def main"}]}
MARK = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content) if content else "Fix it."}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def asked(*messages: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"model": "claude-x", "max_tokens": 9, "messages": messages, **more}).encode()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "The request body is not valid JSON."),
        (b"[" * 100_000, "The request body is not valid JSON."),
        (b"[]", "The request body is not a JSON object."),
        (b'{"model": 3}', "model: Field required"),
        (b'{"model": "m", "messages": []}', "messages: at least one message is required"),
        (asked(3), "messages.0.role: has to be"),  # type: ignore[arg-type]  # a client may send anything
        (asked({"role": "user", "content": None}), "messages.0.content: has to be"),
        (asked(assistant()), 'messages: first message must use the "user" role'),
        (asked(user(), max_tokens=0), "max_tokens: a positive number is required"),
        (asked(user({"type": "text", "text": ""})), "messages: text content blocks must be non-empty"),
        (asked(user(), assistant(USE)), "messages.1: `tool_use` ids were found without `tool_result` blocks"),
        (asked(user(), assistant(USE), user()), "messages.1: `tool_use` ids were found without `tool_result` blocks"),
        (asked(user(RESULT)), "messages.0: unexpected `tool_use_id` found in `tool_result` blocks: t1."),
        (asked(user(), assistant(USE, USE), user(RESULT)), "messages.1: `tool_use` ids must be unique"),
        (
            asked(user(), assistant(USE), user(RESULT), assistant(USE), user(RESULT)),
            "messages.3: `tool_use` ids must be unique",
        ),
        (
            asked(user(MARK, MARK), system=[MARK, MARK, MARK]),
            "A maximum of 4 blocks with cache_control may be provided.",
        ),
    ],
)
def test_request_the_api_would_not_take_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(ApiError) as raised:
        check(read(body))
    assert str(raised.value).startswith(complaint)
    assert raised.value.status == 400


@pytest.mark.parametrize(
    "messages",
    [
        [user()],
        [user(MARK, MARK, MARK, MARK)],
        [user(), assistant(USE), user(RESULT)],
        [user(), assistant(USE), {"role": "system", "content": "By the way."}, user(RESULT), user()],
        [user(), assistant(USE), assistant({**USE, "id": "t2"}), user(RESULT), user({**RESULT, "tool_use_id": "t2"})],
    ],
)
def test_request_the_api_takes_is_taken(messages: list[dict[str, Any]]) -> None:
    check(read(asked(*messages)))


REQUEST = asked(
    user({"type": "text", "text": "<system-reminder>x</system-reminder>"}, {"type": "text", "text": "Fix it."}),
    assistant(USE),
    user(RESULT, {"type": "text", "text": "Go on."}),
    system=[{"type": "text", "text": "You are careful."}],
    tools=[{"name": "read"}, {"name": "edit"}],
)


@pytest.mark.parametrize(
    ("expect", "complaint"),
    [
        (Expect(), None),
        (Expect(result_contains="def main", result_is_error=False, user_contains="Go on"), None),
        (Expect(system_contains="careful", tools=("edit", "read")), None),
        (
            Expect(result_contains="class"),
            "a tool result that contains 'class'; the tool results are 'def main'.",
        ),
        (Expect(result_is_error=True), "a tool result that is an error; the tool results are 'def main'."),
        (Expect(user_contains="Fix"), "a last user message that contains 'Fix'; it is 'Go on.'."),
        (Expect(system_contains="bold"), "a system prompt that contains 'bold'; it is 'You are careful.'."),
        (Expect(tools=("read", "run")), "the tools run on offer; on offer are 'read', 'edit'."),
    ],
)
def test_what_is_expected_of_a_request_is_told_in_words(expect: Expect, complaint: str | None) -> None:
    assert unmet(expect, understand(read(REQUEST), len(REQUEST))) == complaint


@pytest.mark.parametrize(
    ("conversation", "fits"),
    [
        ("", True),
        ('model = "claude-*"', True),
        ('model = "claude"', False),
        ('contains = "Fix it"', True),
        ('contains = "Go on"', False),
        ('system_contains = "careful"', True),
        ('system_contains = "Fix"', False),
        ('model = "other"\ncontains = "Fix it"', False),
    ],
)
def test_conversation_is_chosen_by_model_first_message_and_system(conversation: str, fits: bool) -> None:
    (one,) = parse(f"{HEAD}{conversation}\n{TEXT}", "play.toml").conversations
    assert is_for(one, understand(read(REQUEST), 1)) is fits


def test_conversation_that_calls_tools_is_not_for_a_request_without_any() -> None:
    (one,) = parse(f'{HEAD}[[conversation.turn]]\ncontent = [{{ tool = "read" }}]\n', "play.toml").conversations
    assert is_for(one, understand(read(REQUEST), 1))
    assert not is_for(one, understand(read(asked(user())), 1))
