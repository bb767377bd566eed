"""Test the permission requests that an agent's tool calls make, by the protocol's kinds of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from acp.schema import ToolCallUpdate

from mux_lsp.agents.acp.tool_calls import MAX_CHARACTERS, MAX_COMPARED_CHARACTERS, Call, requests, shortened

if TYPE_CHECKING:
    from pathlib import Path


def place(path: str) -> dict[str, str]:
    return {"path": path}


def diff(path: str) -> dict[str, str]:
    return {"type": "diff", "path": path, "newText": ""}


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        ({"kind": "execute", "title": "`npm test`"}, ["run:npm test"]),
        ({"kind": "execute", "title": "Tests", "rawInput": {"command": "npm test && rm x"}}, ["run:npm test && rm x"]),
        ({"kind": "execute", "title": "x", "rawInput": {"command": ["echo", "a b"]}}, ["run:echo 'a b'"]),
        ({"kind": "execute", "title": "ls", "rawInput": {"command": 7}}, ["run:ls"]),
        ({"kind": "edit", "title": "Edit", "locations": [place("ROOT/a/b.py")]}, ["write:a/b.py"]),
        ({"kind": "edit", "title": "Edit", "rawInput": {"file_path": "b.py"}}, ["write:src/b.py"]),
        ({"kind": "delete", "title": "x", "locations": [place("ROOT/a"), place("ROOT/b")]}, ["write:a", "write:b"]),
        ({"kind": "move", "title": "x", "rawInput": {"path": "a", "destination": "../b"}}, ["write:src/a", "write:b"]),
        ({"kind": "other", "title": "x", "content": [diff("ROOT/a")]}, ["write:a"]),
        ({"kind": "edit", "title": "x", "locations": [place("ROOT/out/x")]}, ["write:OUTSIDE/x"]),
        ({"kind": "edit", "title": "x", "locations": [place("../../x")]}, ["write:OUTSIDE/x"]),
        ({"kind": "edit", "title": "Many files"}, ["write:Many files"]),
        ({"kind": "read", "title": "Read", "locations": [place("ROOT/a")]}, ["read:a"]),
        ({"kind": "search", "title": "grep x"}, ["read:grep x"]),
        ({"kind": "fetch", "title": "Fetch", "rawInput": {"url": "https://x.org/"}}, ["fetch:https://x.org/"]),
        ({"kind": "switch_mode", "title": "Ready?"}, ["switch_mode:Ready?"]),
        ({"kind": "a new one", "title": "mcp__x"}, ["other:mcp__x"]),
    ],
)
def test_what_is_asked_for(tmp_path: Path, call: dict[str, Any], asked: list[str]) -> None:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)

    def placed(value: Any) -> Any:
        match value:
            case str():
                return value.replace("ROOT", str(root))
            case list():
                return [placed(one) for one in value]
            case dict():
                return {key: placed(one) for key, one in value.items()}
        return value

    known = Call("1")
    known.learn(ToolCallUpdate.model_validate({"toolCallId": "1", **placed(call)}))
    told = [f"{one.tool}:{one.subject}" for one in requests(known, root, root / "src")]
    assert told == [one.replace("OUTSIDE", str(tmp_path)) for one in asked]


@pytest.mark.timeout(20)
def test_a_path_that_is_none_is_not_followed(tmp_path: Path) -> None:
    call = Call("1")
    call.learn(ToolCallUpdate.model_validate({"toolCallId": "1", "kind": "edit", "locations": [place("d/" * 500_000)]}))
    (asked,) = requests(call, tmp_path, tmp_path)
    assert asked.subject == "d/" * 2048 + "…"


@pytest.mark.parametrize(("end", "subject"), [("key", "key"), ("../key", "OUTSIDE/key")])
def test_a_detour_does_not_make_a_path_another_one(tmp_path: Path, end: str, subject: str) -> None:
    """A rule for `src/*` does not cover paths beside `src`, whatever route the agent gives."""
    (tmp_path / "project" / "src").mkdir(parents=True)
    call = Call("1")
    path = "src/../" * 1000 + end
    call.learn(ToolCallUpdate.model_validate({"toolCallId": "1", "kind": "edit", "locations": [place(path)]}))
    (asked,) = requests(call, tmp_path / "project", tmp_path / "project")
    assert asked.subject == subject.replace("OUTSIDE", str(tmp_path))


def test_an_update_leaves_what_it_does_not_name() -> None:
    call = Call("1")
    first = {"toolCallId": "1", "kind": "edit", "title": "Edit a", "content": [diff("a")], "rawInput": {"path": "a"}}
    for update in (first, {"toolCallId": "1", "status": "completed"}):
        call.learn(ToolCallUpdate.model_validate(update))
    assert (call.kind, call.title, call.status, list(call.diffs)) == ("edit", "Edit a", "completed", ["a"])


def words(text: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": text}}


@pytest.mark.parametrize(
    ("update", "result"),
    [
        ({"content": [words("done")], "rawOutput": {"status": 0}}, "done"),
        ({"content": [words("```sh\nno ls\n```")]}, "no ls"),
        ({"content": [words("see ```this```")]}, "see ```this```"),
        ({"rawOutput": {"status": 0}}, '{"status": 0}'),
        ({"rawOutput": "plain"}, "plain"),
        ({}, ""),
        (
            {"content": [{"type": "diff", "path": "/w/a", "oldText": "a\nb\nc\n", "newText": "a\nB\nc\n"}]},
            "--- /w/a\n+++ /w/a\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n",
        ),
        (
            {"content": [words("Edited."), {"type": "diff", "path": "n", "newText": "new"}]},
            "Edited.\n--- n\n+++ n\n@@ -0,0 +1 @@\n+new\n\\ No newline at end of file\n",
        ),
        (
            {"content": [{"type": "diff", "path": "big", "oldText": "x" * MAX_COMPARED_CHARACTERS, "newText": "y"}]},
            "--- big\n+++ big\n(200,000 characters become 1)\n",
        ),
        (
            {"content": [{"type": "diff", "path": name, "newText": "x" * 150_000 + "\n"} for name in ("a", "b")]},
            shortened(
                f"--- a\n+++ a\n@@ -0,0 +1 @@\n+{'x' * 150_000}\n\n--- b\n+++ b\n(0 characters become 150,001)\n"
            ),
        ),
    ],
)
def test_what_came_of_it(update: dict[str, Any], result: str) -> None:
    call = Call("1")
    call.learn(ToolCallUpdate.model_validate({"toolCallId": "1", "kind": "edit", **update}))
    assert call.result() == result


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "content",
    [
        [words("`" * 300_000 + "\n" + "`" * 600_000 + "x")],
        [diff(f"{number}.txt") for number in range(20_000)],
    ],
    ids=["backticks", "many files"],
)
def test_a_message_that_would_take_hours_is_read_at_once(content: list[dict[str, Any]]) -> None:
    """The message is parsed on the event loop, which serves all other clients too."""
    call = Call("1")
    call.learn(ToolCallUpdate.model_validate({"toolCallId": "1", "kind": "edit", "content": content}))
    assert call.result()


def test_long_texts_keep_head_and_tail() -> None:
    short = shortened("a" * MAX_CHARACTERS + "b" * MAX_CHARACTERS)
    assert short.startswith("aaa")
    assert short.endswith("bbb")
    assert "… 20,000 characters left out …" in short
    assert shortened("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS
