"""Test the replay server with the official client: scripted answers and scripted faults arrive, and nothing else.

Only a broken server reaches the time limits here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import stat
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anthropic
import pytest

from mux_lsp.agents.replay import http1, http_server
from mux_lsp.agents.replay.record import record
from mux_lsp.agents.replay.script import Block, Script, ScriptedConversation, Turn, load, parse
from mux_lsp.agents.replay.server import serve
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anthropic.types import Message, RawMessageStreamEvent

MODEL = "claude-test"
PROMPT = {"role": "user", "content": "Fix the parser."}
TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("read", "edit")]
KEY = "sk-ant-of-the-person"

READ = """
[[conversation.turn]]
content = [
  { thinking = "I should read it first.", signature = "c2lnbmVk" },
  { text = "I read the parser, then the lexer, and see what is wrong with them." },
  { tool = "read", id = "toolu_a", input = { path = "parser.py", lines = [1, 20], deep = { "ünï" = "\\"x\\"\\n" } } },
  { tool = "read" },
]
usage = { input = 1200, output = 40, cache_read = 800, cache_write = 30 }
"""
DONE = """
[[conversation.turn]]
content = [{ text = "All done." }]
"""


def script(*turns: str, settings: str = "") -> str:
    return "\n".join(["[[conversation]]", settings, *turns])


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    # Reading the machine's certificates would take longer than most tests here, and nothing is encrypted.
    transport = anthropic.DefaultAsyncHttpxClient(verify=False)
    async with anthropic.AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0, http_client=transport) as client:
        yield client


@asynccontextmanager
async def playing(text: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with serve(parse(text, "play.toml")) as url, client_of(url) as client:
        yield client


def request(*more: dict[str, Any], **settings: Any) -> Any:
    return {"model": MODEL, "max_tokens": 1000, "messages": [PROMPT, *more], "tools": TOOLS, **settings}


async def streamed(client: anthropic.AsyncAnthropic, *more: dict[str, Any], **settings: Any) -> Message:
    async with client.messages.stream(**request(*more, **settings)) as stream:
        return await stream.get_final_message()


async def whole(client: anthropic.AsyncAnthropic, *more: dict[str, Any], **settings: Any) -> Message:
    message: Message = await client.messages.create(**request(*more, **settings))
    return message


ASK = pytest.mark.parametrize("ask", [streamed, whole])


async def events_until_it_breaks(
    client: anthropic.AsyncAnthropic,
) -> tuple[list[RawMessageStreamEvent], Exception | None]:
    events: list[RawMessageStreamEvent] = []
    try:
        async for event in await client.messages.create(**request(), stream=True):
            events.append(event)  # noqa: PERF401  (what came before the break counts)
    except Exception as error:
        return events, error
    return events, None


def answered(message: Message, text: str = "def parse", **more: Any) -> list[dict[str, Any]]:
    """Return the assistant's message, and a message with results for all of its tool calls."""
    calls = [block.id for block in message.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call, "content": text, **more} for call in calls]
    return [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]


def said(message: Message) -> dict[str, Any]:
    """Return all of a message but its id, which is different each time."""
    return message.model_dump(exclude={"id"}, exclude_none=True)


@ASK
async def test_every_kind_of_content_arrives_with_its_usage(ask: Any) -> None:
    async with playing(script(READ)) as client:
        message = await ask(client)
    thinking, text, first, second = message.content
    assert (thinking.thinking, thinking.signature) == ("I should read it first.", "c2lnbmVk")
    assert text.text == "I read the parser, then the lexer, and see what is wrong with them."
    assert (first.name, first.id) == ("read", "toolu_a")
    assert first.input == {"path": "parser.py", "lines": [1, 20], "deep": {"ünï": '"x"\n'}}
    assert (second.name, second.input) == ("read", {})
    assert second.id not in {"", first.id}
    assert (message.model, message.role, message.stop_reason) == (MODEL, "assistant", "tool_use")
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (1200, 40)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (800, 30)


async def test_stream_is_made_of_small_deltas_and_has_a_ping() -> None:
    async with (
        playing(script(READ)) as client,
        client.messages.with_streaming_response.create(**request(), stream=True) as response,
    ):
        assert response.headers["request-id"].startswith("req_")
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in response.iter_lines() if line.startswith("data:")]
    events = [json.loads(line.removeprefix("data:")) for line in lines]
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert events[0]["message"]["usage"]["input_tokens"] == 1200
    assert events[-2]["usage"]["output_tokens"] == 40
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert len([delta for delta in deltas if delta["type"] == "text_delta"]) > 3
    assert len([delta for delta in deltas if delta["type"] == "input_json_delta"]) > 5
    assert [delta["signature"] for delta in deltas if delta["type"] == "signature_delta"] == ["c2lnbmVk"]


@ASK
async def test_turn_is_chosen_by_what_the_request_holds_also_out_of_order(ask: Any) -> None:
    async with playing(script(READ, DONE)) as client:
        first = await ask(client)
        second = await ask(client, *answered(first))
        again = await ask(client)
    assert second.content[0].text == "All done."
    assert second.stop_reason == "end_turn"
    assert said(again) == said(first)
    assert again.id != first.id


async def test_usage_left_out_is_guessed_from_the_texts() -> None:
    async with playing(script(DONE)) as client:
        small = await streamed(client)
        large = await streamed(client, system="x" * 4000)
    assert 900 < large.usage.input_tokens - small.usage.input_tokens < 1100
    assert small.usage.output_tokens == 3


@ASK
async def test_conversations_are_told_apart_by_model_and_prompt(ask: Any) -> None:
    one = script(DONE.replace("All", "Titles"), settings='model = "*-small"')
    two = script(DONE.replace("All", "Lexer"), settings='contains = "the lexer"')
    async with playing(f"{one}\n{two}\n{script(DONE)}") as client:
        assert (await ask(client, model="claude-small")).content[0].text == "Titles done."
        assert (await ask(client, messages=[{"role": "user", "content": "Fix the lexer."}])).content[0].text == (
            "Lexer done."
        )
        assert (await ask(client)).content[0].text == "All done."


@ASK
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            script(DONE, settings='model = "other"'),
            "play.toml has no conversation for the model 'claude-test', the first user message 'Fix the parser.'"
            " and 2 tools on offer.",
        ),
        (
            script(DONE, DONE.replace("content", 'expect = { tools = ["run"] }\ncontent')),
            "play.toml, conversation 1, turn 2 expected the tools run on offer; on offer are 'read', 'edit'.",
        ),
        (script(DONE), "play.toml, conversation 1 has 1 turns, and this request asks for turn 2."),
    ],
)
async def test_request_the_script_does_not_foresee_fails_in_words(ask: Any, text: str, complaint: str) -> None:
    async with playing(text) as client:
        with pytest.raises(anthropic.BadRequestError) as raised:
            await ask(client, {"role": "assistant", "content": "Well."}, {"role": "user", "content": "So?"})
    error: Any = raised.value.body
    assert error["error"] == {"type": "invalid_request_error", "message": complaint}
    assert error["request_id"] == raised.value.request_id


@ASK
async def test_expected_tool_result_lets_the_conversation_go_on(ask: Any) -> None:
    wants = DONE.replace("content", 'expect = { result_contains = "def parse", result_is_error = false }\ncontent')
    async with playing(script(READ, wants)) as client:
        first = await ask(client)
        with pytest.raises(anthropic.BadRequestError, match="expected a tool result that contains 'def parse'"):
            await ask(client, *answered(first, "No such file."))
        assert (await ask(client, *answered(first))).content[0].text == "All done."


@ASK
async def test_tool_call_without_a_result_is_refused_as_by_the_api(ask: Any) -> None:
    async with playing(script(READ, DONE)) as client:
        first = await ask(client)
        with pytest.raises(
            anthropic.BadRequestError, match="without `tool_result` blocks immediately after: toolu_1_1_4, "
        ):
            await ask(client, answered(first)[0], {"role": "user", "content": "And?"})


@ASK
@pytest.mark.parametrize(
    ("fault", "status", "kind", "retry_after"),
    [
        ('kind = "overloaded"', 529, "overloaded_error", None),
        ('kind = "rate_limit", retry_after = 7', 429, "rate_limit_error", "7"),
        ('kind = "server_error"', 500, "api_error", None),
    ],
)
async def test_refused_requests_are_as_many_as_scripted(
    ask: Any, fault: str, status: int, kind: str, retry_after: str | None
) -> None:
    async with playing(script(READ, f"{DONE}faults = [{{ {fault}, times = 2 }}]")) as client:
        first = await ask(client)
        for _ in range(2):
            with pytest.raises(anthropic.APIStatusError) as raised:
                await ask(client, *answered(first))
            assert raised.value.status_code == status
            error: Any = raised.value.body
            assert error["error"]["type"] == kind
            assert (raised.value.request_id or "").startswith("req_")
            assert raised.value.response.headers.get("retry-after") == retry_after
        assert (await ask(client, *answered(first))).content[0].text == "All done."


async def test_client_with_retries_gets_through() -> None:
    async with playing(script(f'{DONE}faults = [{{ kind = "rate_limit", retry_after = 0.01, times = 2 }}]')) as client:
        assert (await streamed(client.with_options(max_retries=2))).content[0].type == "text"


@pytest.mark.parametrize("after", [0, 1, 5])
async def test_stream_is_cut_after_so_many_events(after: int) -> None:
    async with playing(script(f'{READ}faults = [{{ kind = "disconnect", after = {after} }}]')) as client:
        events, error = await events_until_it_breaks(client)
        # The client does not show pings; the third event is one.
        assert len(events) == (after if after < 3 else after - 1)
        assert error is not None
        assert (await streamed(client)).stop_reason == "tool_use"


@pytest.mark.parametrize("after", [0, 1])
async def test_whole_answer_is_cut(after: int) -> None:
    async with playing(script(f'{READ}faults = [{{ kind = "disconnect", after = {after} }}]')) as client:
        with pytest.raises(anthropic.APIConnectionError):
            await whole(client)
        assert (await whole(client)).stop_reason == "tool_use"


@pytest.mark.parametrize("after", [0, 4])
async def test_stream_ends_by_an_error_event(after: int) -> None:
    async with playing(script(f'{READ}faults = [{{ kind = "error", after = {after} }}]')) as client:
        events, error = await events_until_it_breaks(client)
        assert len(events) == (after and after - 1)
        assert isinstance(error, anthropic.APIStatusError)
        body: Any = error.body
        assert body["error"] == {"type": "overloaded_error", "message": "Overloaded"}
        assert body["request_id"].startswith("req_")
        assert (await streamed(client)).stop_reason == "tool_use"


async def test_whole_answer_is_overloaded_in_place_of_an_error_event() -> None:
    async with playing(script(f'{READ}faults = [{{ kind = "error", after = 4 }}]')) as client:
        with pytest.raises(anthropic.APIStatusError) as raised:
            await whole(client)
        assert raised.value.status_code == 529


async def test_stalled_stream_stays_silent_until_the_client_gives_up() -> None:
    async with playing(script(f'{READ}faults = [{{ kind = "stall", after = 4 }}]')) as client:
        impatient = client.with_options(timeout=0.3)
        events, error = await events_until_it_breaks(impatient)
        assert len(events) == 3
        assert "timed out" in str(error).lower() or "timeout" in type(error).__name__.lower()
        assert (await streamed(client)).stop_reason == "tool_use"


@ASK
async def test_stall_of_some_time_is_over_after_it(ask: Any) -> None:
    async with playing(script(f'{READ}faults = [{{ kind = "stall", after = 4, seconds = 0.2 }}]')) as client:
        began = asyncio.get_running_loop().time()
        assert (await ask(client)).stop_reason == "tool_use"
        assert asyncio.get_running_loop().time() - began >= 0.2


@ASK
@pytest.mark.parametrize(
    ("settings", "least"),
    [
        ("events_per_second = 100", 0.07),
        ("delay = 0.1", 0.1),
        ('events_per_second = 10000\nfaults = [{ kind = "slow", events_per_second = 100 }]', 0.07),
    ],
)
async def test_answer_is_as_slow_as_scripted(ask: Any, settings: str, least: float) -> None:
    async with playing(script(DONE + settings)) as client:
        began = asyncio.get_running_loop().time()
        message = await ask(client)
        assert asyncio.get_running_loop().time() - began >= least
        assert message.content[0].text == "All done."


async def test_conversation_has_a_pace_for_all_of_its_turns() -> None:
    async with playing(script(DONE, settings="events_per_second = 100")) as client:
        began = asyncio.get_running_loop().time()
        await streamed(client)
        assert asyncio.get_running_loop().time() - began >= 0.07


async def test_malformed_tool_input_is_no_json() -> None:
    def pieces(events: list[RawMessageStreamEvent]) -> str:
        return "".join(
            event.delta.partial_json
            for event in events
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta" and event.index == 2
        )

    async with playing(script(f'{READ}faults = [{{ kind = "malformed_input" }}]')) as client:
        broken, error = await events_until_it_breaks(client)
        assert error is None
        with pytest.raises(json.JSONDecodeError):
            json.loads(pieces(broken))
        good, _ = await events_until_it_breaks(client)
        assert json.loads(pieces(good))["path"] == "parser.py"


async def test_tool_input_written_as_text_is_sent_as_it_stands() -> None:
    cut = """
[[conversation.turn]]
stop_reason = "max_tokens"
content = [{ tool = "edit", input_json = '{"path": "a.py", "new": "x' }]
"""
    async with playing(script(cut)) as client:
        events, error = await events_until_it_breaks(client)
        message = await whole(client)
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    text = "".join(delta.partial_json for delta in deltas if delta.type == "input_json_delta")
    assert (text, error) == ('{"path": "a.py", "new": "x', None)
    assert message.content[0].type == "tool_use"
    assert message.content[0].input == {}


@ASK
async def test_refusal_says_why(ask: Any) -> None:
    refusal = """
[[conversation.turn]]
content = []
stop_reason = "refusal"
stop_details = { category = "cyber", explanation = "No exploits." }
"""
    async with playing(script(refusal)) as client:
        message = await ask(client)
    assert (message.content, message.stop_reason) == ([], "refusal")
    assert (message.stop_details.category, message.stop_details.explanation) == ("cyber", "No exploits.")


@ASK
@pytest.mark.parametrize("reason", ["max_tokens", "pause_turn", "model_context_window_exceeded"])
async def test_answer_stops_for_the_scripted_reason(ask: Any, reason: str) -> None:
    async with playing(script(f'{DONE}stop_reason = "{reason}"')) as client:
        assert (await ask(client)).stop_reason == reason


@ASK
async def test_blocks_of_other_types_arrive_as_they_are(ask: Any) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    text = f"[[conversation.turn]]\ncontent = [{{ redacted = 'c2VjcmV0' }}, {{ raw = '{json.dumps(search)}' }}]"
    async with playing(script(text)) as client:
        message = await ask(client)
    assert message.content[0].data == "c2VjcmV0"
    assert message.content[1].model_dump(exclude_none=True) == search


async def test_models_and_token_counts_are_there_for_clients_that_ask() -> None:
    async with playing(script(DONE, settings=f'model = "{MODEL}"')) as client:
        assert [model.id async for model in client.models.list()] == [MODEL]
        assert (await client.models.retrieve("any")).id == "any"
        messages: Any = [{"role": "user", "content": "x" * 400}]
        counted = await client.messages.count_tokens(model=MODEL, messages=messages)
        assert 100 < counted.input_tokens < 150
        with pytest.raises(anthropic.NotFoundError, match="GET /v1/files is not part of the replay server"):
            await client.get("/v1/files", cast_to=object)


async def test_nobody_without_the_secret_word_is_answered() -> None:
    async with serve(parse(script(DONE), "play.toml")) as url:
        base = url.rsplit("/", 1)[0]
        for wrong in (base, f"{base}/guess"):
            async with client_of(wrong) as client:
                with pytest.raises(anthropic.AuthenticationError):
                    await streamed(client)
        assert urlsplit(url).hostname == "127.0.0.1"


async def exchange(url: str, data: bytes, *, close: bool = True) -> bytes:
    """Send these bytes and return everything that the server answers until it closes the connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(data)
    if close:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


BODY = json.dumps({"model": MODEL, "max_tokens": 9, "messages": [PROMPT]}).encode()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {len(BODY)}", BODY),
        (
            "transfer-encoding: chunked",
            b"5;x=y\r\n" + BODY[:5] + b"\r\n%x\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n0\r\n\r\n",
        ),
        (
            f"content-encoding: gzip\r\ncontent-length: {len(gzip.compress(BODY, mtime=0))}",
            gzip.compress(BODY, mtime=0),
        ),
        (f"expect: 100-continue\r\ncontent-length: {len(BODY)}", BODY),
    ],
)
async def test_body_may_come_in_any_of_http_s_ways(headers: str, body: bytes) -> None:
    async with serve(parse(script(DONE), "play.toml")) as url:
        head = f"POST {urlsplit(url).path}/v1/messages?beta=true HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n"
        answer = await exchange(url, head.encode() + body)
    assert b"HTTP/1.1 200 OK" in answer
    assert b"All done." in answer
    assert answer.startswith(b"HTTP/1.1 100 Continue") is headers.startswith("expect")


async def test_requests_of_one_connection_are_answered_one_after_the_other() -> None:
    async with serve(parse(script(DONE), "play.toml")) as url:
        get = f"GET {urlsplit(url).path}/v1/models HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        head = get.replace(b"GET", b"HEAD")
        last = get.replace(b"1.1\r\n", b"1.1\r\nconnection: close\r\n")
        answer = await exchange(url, get + head + last, close=False)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b'"data"') == 2


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET", b""),
        (b"hello\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / SPDY/3\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 200_000 + b"\r\n\r\n", b"HTTP/1.1 431 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabc", b""),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\nabc", b"HTTP/1.1 400 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\nabc", b"HTTP/1.1 400 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n", b"HTTP/1.1 413 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 400 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc", b""),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: x\r\n\r\n", b"HTTP/1.1 501 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx", b"HTTP/1.1 415 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", b"HTTP/1.1 400 "),
    ],
)
async def test_broken_request_ends_its_connection_and_no_other(sent: bytes, answer: bytes) -> None:
    async with serve(parse(script(DONE), "play.toml")) as url, client_of(url) as client:
        got = await exchange(url, sent)
        assert got.startswith(answer)
        assert bool(got) is bool(answer)
        assert (await streamed(client)).content[0].type == "text"


async def test_client_that_says_half_a_request_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "READ_SECONDS", 0.05)
    async with asyncio.timeout(10), serve(parse(script(DONE), "play.toml")) as url:
        with contextlib.suppress(ConnectionResetError):
            assert (
                await exchange(url, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc", close=False) == b""
            )


async def test_client_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "STUCK_SECONDS", 0.05)
    given_up = asyncio.Event()
    monkeypatch.setattr(http_server.log, "debug", lambda *_: given_up.set())
    size = 32_000_000
    long = ScriptedConversation(turn=(Turn(content=(Block(text="x" * size),)),))
    async with asyncio.timeout(30), serve(Script("play.toml", (long,))) as url:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(
            f"POST {parts.path}/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n\r\n".encode() + BODY
        )
        # Nothing is read until the server has given up: then what it could not send is missing.
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        await given_up.wait()
        transport.resume_reading()
        with contextlib.suppress(ConnectionError):
            assert len(await reader.read()) < size
        writer.close()


async def test_server_ends_at_once_with_connections_open() -> None:
    stall = f'{DONE}faults = [{{ kind = "stall", after = 1, seconds = 3600 }}]'
    async with asyncio.timeout(5):
        async with serve(parse(script(stall), "play.toml")) as url:
            parts = urlsplit(url)
            half, half_writer = await asyncio.open_connection(parts.hostname, parts.port)
            half_writer.write(b"POST /x HTTP/1.1\r\ncontent-len")
            stalled, stalled_writer = await asyncio.open_connection(parts.hostname, parts.port)
            streaming = json.dumps({**json.loads(BODY), "stream": True}).encode()
            head = f"POST {parts.path}/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(streaming)}\r\n\r\n"
            stalled_writer.write(head.encode() + streaming)
            await stalled.readuntil(b"event: message_start")
    for reader, writer in ((half, half_writer), (stalled, stalled_writer)):
        with pytest.raises(ConnectionError):
            # Data in transit may come first.
            while await reader.read(100):
                pass
            raise ConnectionError
        writer.close()


async def conversation(client: anthropic.AsyncAnthropic, ask: Any) -> list[Message]:
    """Hold a conversation as an agent does: two turns, then a follow-up."""
    first = await ask(client)
    second = await ask(client, *answered(first))
    followed = [
        *answered(first),
        {"role": "assistant", "content": second.content},
        {"role": "user", "content": "Sure?"},
    ]
    return [first, second, await ask(client, *followed)]


@ASK
async def test_recording_plays_what_was_recorded(ask: Any, tmp_path: Path) -> None:
    file = tmp_path / "recorded.toml"
    null = """
[[conversation.turn]]
content = [{ text = "Sure:\\n\\"\\"\\"" }, { tool = "edit", input_json = '{"path": null, "n": 1}' }]
faults = [{ kind = "overloaded" }, { kind = "disconnect", after = 4 }]
stop_reason = "max_tokens"
"""
    async with (
        serve(parse(script(READ, DONE, null), "play.toml")) as upstream,
        record(file, upstream=f"{upstream}/") as url,
        client_of(url) as client,
    ):
        with pytest.raises(anthropic.APIStatusError) as refused:
            await conversation(client, ask)
        assert refused.value.status_code == 529
        assert (refused.value.request_id or "").startswith("req_replay")
        with pytest.raises(Exception, match=r"(?i)incomplete|connection|peer"):
            await conversation(client, ask)
        told = await conversation(client, ask)
    async with serve(load(file)) as url, client_of(url) as client:
        again = await conversation(client, ask)
    assert [said(message) for message in again] == [said(message) for message in told]
    assert KEY not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_recording_holds_each_conversation_by_its_prompt(tmp_path: Path) -> None:
    file = tmp_path / "recorded.toml"
    prompts = ["Fix.", "Fix. All of it.", "<system-reminder>Today.</system-reminder>\nFix the lexer."]
    texts = "".join(
        script(DONE.replace("All", str(number)), settings=f"contains = '{part}'") + "\n"
        for number, part in ((1, "All of it"), (2, "lexer"), (0, "Fix."))
    )
    asks = [{"messages": [{"role": "user", "content": prompt}]} for prompt in prompts]
    async with (
        serve(parse(texts, "play.toml")) as upstream,
        record(file, upstream=upstream) as url,
        client_of(url) as client,
    ):
        await asyncio.gather(*(streamed(client, **ask) for ask in asks))
    recorded = load(file).conversations
    assert {conversation.contains for conversation in recorded} == {"Fix.", "Fix. All of it.", "Fix the lexer."}
    async with serve(load(file)) as url, client_of(url) as client:
        for number, ask in enumerate(asks):
            block = (await streamed(client, **ask)).content[0]
            assert block.type == "text"
            assert block.text == f"{number} done."


async def test_recorder_tells_when_the_upstream_cannot_be_reached(tmp_path: Path) -> None:
    heads: list[str] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with record(tmp_path / "a.toml", upstream=f"http://127.0.0.1:{port}") as url, client_of(url) as client:
        with pytest.raises(anthropic.APIConnectionError):
            await streamed(client)
        # It requests an encoding that it can read: an uncompressed answer.
        (head,) = heads
        assert head.startswith("POST /v1/messages HTTP/1.1\r\n")
        assert f"host: 127.0.0.1:{port}\r\n" in head
        assert "accept-encoding: identity\r\n" in head
        assert head.count("accept-encoding") == 1
        assert KEY in head
        server.close()
        await server.wait_closed()
        with pytest.raises(anthropic.InternalServerError, match=f"The recorder cannot reach 127.0.0.1:{port}: "):
            await streamed(client)
    assert not (tmp_path / "a.toml").exists()


@pytest.mark.parametrize(
    ("name", "upstream", "complaint"),
    [
        ("here", "https://x", r"here exists already; name a new file to record to, or remove it\."),
        ("no/where", "https://x", r"no/where cannot be written: there is no folder .*no\."),
        ("new", "api.anthropic.com", r"'api\.anthropic\.com' is not the address of a server: write "),
        ("new", "http://x:99999", r"'http://x:99999' is not the address of a server: write "),
    ],
)
async def test_recording_that_cannot_be_is_refused_at_the_start(
    tmp_path: Path, name: str, upstream: str, complaint: str
) -> None:
    (tmp_path / "here").touch()
    with pytest.raises(UsageError, match=complaint):
        async with record(tmp_path / name, upstream=upstream):
            pass


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mux_lsp.agents.replay",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_program_tells_its_address_first_and_plays(tmp_path: Path) -> None:
    (tmp_path / "play.toml").write_text(script(DONE))
    async with program(str(tmp_path / "play.toml")) as process:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with client_of(url) as client:
            assert (await streamed(client)).content[0].type == "text"
        process.terminate()
        assert await process.wait() == 0
    async with program(str(tmp_path / "none.toml")) as process:
        out, error = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert error.decode().startswith(f"{tmp_path / 'none.toml'} cannot be read: ")


async def test_a_hundred_streams_at_once_all_arrive() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    async with playing(
        script(f'[[conversation.turn]]\ncontent = [{{ text = "{words}" }}]\nevents_per_second = 200')
    ) as client:
        messages = await asyncio.gather(*(streamed(client) for _ in range(100)))
    assert {block.text for message in messages for block in message.content if block.type == "text"} == {words}
    assert len({message.id for message in messages}) == 100
