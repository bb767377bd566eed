"""What an agent's tool calls ask leave for, by the protocol's kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from acp.schema import ToolCallUpdate

from mux_lsp.agents.acp.calls import LONGEST, Call, requests, shortened

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


def test_an_update_leaves_what_it_does_not_name() -> None:
    call = Call("1")
    first = {"toolCallId": "1", "kind": "edit", "title": "Edit a", "content": [diff("a")], "rawInput": {"path": "a"}}
    for update in (first, {"toolCallId": "1", "status": "completed"}):
        call.learn(ToolCallUpdate.model_validate(update))
    assert (call.kind, call.title, call.status, call.diffs) == ("edit", "Edit a", "completed", ["a"])


def test_long_texts_keep_head_and_tail() -> None:
    short = shortened("a" * LONGEST + "b" * LONGEST)
    assert short.startswith("aaa")
    assert short.endswith("bbb")
    assert "… 20,000 characters left out …" in short
    assert shortened("x" * LONGEST) == "x" * LONGEST
