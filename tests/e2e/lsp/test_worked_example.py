"""Send the worked example of `editor-clients/PROTOCOL.md` literally, and compare the server's messages with it."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from tests.e2e.lsp.client import WAIT_SECONDS
from tests.support.person import make_repository
from tests.unit.lsp.test_protocol_document import messages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome

HOME = "file:///home/ada/project"
TASK = "d4c"
VARIES = {"snapshot", "result", "created", "started", "finished", "seconds", "worktree"}
"""Fields whose values differ in each session."""
LATER = {"before"}
"""Fields that may be sent a moment later."""
SAID = (
    "positionEncoding", "textDocumentSync", "hoverProvider", "codeLensProvider", "codeActionProvider",
    "executeCommandProvider",
)  # fmt: skip
"""The capabilities in the answer to `initialize` that a client author needs to know."""


def plain(message: Any, folder: str, task: str | None) -> Any:
    """Return a message in the example's names, without its variable values."""
    text = json.dumps(message).replace(folder, HOME)
    if task is not None:
        text = re.sub(rf"\b{task}\b", TASK, text)
    return _same(json.loads(text))


def _same(value: Any) -> Any:
    if isinstance(value, dict):
        if "serverInfo" in value:
            # The example leaves out most of pygls' information and the list of commands.
            value["serverInfo"]["version"] = "…"
            said = value["capabilities"]
            said["executeCommandProvider"] = said["executeCommandProvider"]["commands"][:1]
            value["capabilities"] = {name: said[name] for name in SAID}
        return {
            key: type(one).__name__ if key in VARIES and not isinstance(one, dict) else _same(one)
            for key, one in value.items()
            if key not in LATER
        }
    return [_same(one) for one in value] if isinstance(value, list) else value


async def _read(stream: asyncio.StreamReader) -> dict[str, Any]:
    headers = await stream.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", headers)
    assert length is not None
    found: dict[str, Any] = json.loads(await stream.readexactly(int(length[1])))
    return found


async def test_the_example_happens(mux_home: IsolatedHome, tmp_path: Path) -> None:
    example = messages()
    opened = next(one["params"]["textDocument"] for _, one in example if one.get("method") == "textDocument/didOpen")
    root = make_repository(tmp_path / "project", {"greet.py": opened["text"]})
    process = await asyncio.create_subprocess_exec(
        *mux_home.command("serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=mux_home.environment(),
    )
    assert process.stdin is not None
    try:
        await asyncio.wait_for(talk(process, example, root.as_uri()), WAIT_SECONDS)
    finally:
        process.stdin.close()
        await process.wait()


async def talk(process: asyncio.subprocess.Process, example: list[tuple[str, dict[str, Any]]], folder: str) -> None:
    """Send the messages of the example's client, and wait for each message of its server."""
    assert process.stdin is not None
    assert process.stdout is not None
    task: str | None = None
    ids: dict[str, Any] = {}
    """The server's ids of the requests, by the example's ids."""
    for arrow, group in itertools.groupby(example, key=lambda one: one[0]):
        wanted = [message for _, message in group]
        if arrow == "→":
            for message in wanted:
                text = json.dumps(message).replace(HOME, folder)
                sent = json.loads(text if task is None else re.sub(rf"\b{TASK}\b", task, text))
                if "id" in sent:
                    sent["id"] = ids.get(sent["id"], sent["id"])
                data = json.dumps(sent).encode()
                process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        while arrow == "←" and wanted:
            came = await _read(process.stdout)
            if task is None and isinstance(came.get("result"), dict) and "task" in came["result"]:
                task = came["result"]["task"]["id"]
            for message in wanted:
                if "method" in message and "id" in message and came.get("method") == message["method"]:
                    ids[message["id"]], came["id"] = came["id"], message["id"]
            found = plain(came, folder, task)
            met = [message for message in wanted if plain(message, HOME, None) == found]
            # There are more notifications than in the example, and they may overtake an answer.
            assert met or "id" not in came, f"{found}\nis none of\n{wanted}"
            for message in met:
                wanted.remove(message)
