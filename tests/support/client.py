"""Provide the tests' own language client: JSON-RPC over a real bridge, and a deliberately naive editor.

The editor applies every edit that the server sends, also to files on disk and through symbolic links. So the server
has to refuse what must not be written. Every wait is for a message; `WAIT_SECONDS` only bounds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

from mux_lsp.lsp.wire.documents import uri_of
from tests.support.framing import frame, read_body_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.support.home import IsolatedHome

T = TypeVar("T")
Json = dict[str, Any]

WAIT_SECONDS = 60.0
ENDS = {"finished", "failed", "cancelled", "interrupted"}

APPLIES_EDITS: Json = {
    "applyEdit": True,
    "workspaceEdit": {
        "documentChanges": True,
        "resourceOperations": ["create", "rename", "delete"],
        "changeAnnotationSupport": {"groupsOnLabel": True},
    },
}


class RefusedError(Exception):
    """The server answered with an error. `kind` is from its data."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.kind = (error.get("data") or {}).get("kind")


@dataclass
class Buffer:
    """An open document."""

    uri: str
    version: int
    text: str


class Client:
    """One connection, and everything received over it."""

    def __init__(self, bridge: asyncio.subprocess.Process, *, applies: bool) -> None:
        assert bridge.stdin is not None
        assert bridge.stdout is not None
        self.bridge = bridge
        self.applies = applies
        self.runs: dict[str, Json] = {}
        """The last received state of each run."""
        self.shown: list[tuple[str, str]] = []
        """The (run, state) pairs in the order in which they were received."""
        self.output: dict[tuple[str, str], str] = {}
        """The text received of each run's streams."""
        self.buffers: dict[Path, Buffer] = {}
        self.diagnostics: dict[Path, list[Json]] = {}
        self.button: str | None = None
        """The title of the button to press in a message with buttons."""
        self.messages: list[Json] = []
        """The messages with buttons that were received."""
        self.raw: list[bytes] = []
        """The bodies of all notifications."""
        self._in, self._out = bridge.stdin, bridge.stdout
        self._ids = itertools.count(1)
        self._answers: dict[int | str, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._ended = False
        self._reader = asyncio.create_task(self._read())

    # Requests

    async def request(self, method: str, params: object = None) -> Any:
        """Send a request and return its result. Raises RefusedError, and EOFError if the server has gone."""
        number = next(self._ids)
        answer = self.expect(number)
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return await self._bounded(answer, method)

    def expect(self, number: int | str) -> asyncio.Future[Any]:
        """Return the answer to a request that was sent by other means."""
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        return answer

    async def command(self, command: str, **argument: Any) -> Any:
        """Execute one of the protocol's commands and return its result."""
        return await self.request("workspace/executeCommand", {"command": command, "arguments": [argument]})

    def notify(self, method: str, params: object = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, message: Json) -> None:
        self.send_bytes(frame(message))

    def send_bytes(self, data: bytes) -> None:
        self._in.write(data)

    async def until(self, condition: Callable[[], T], what: str = "") -> T:
        """Wait until the condition holds. It is evaluated again after each message."""

        async def wait() -> T:
            while not (found := condition()):
                if self._ended:
                    raise EOFError(f"the server has gone before {what or condition}")
                self._news.clear()
                await self._news.wait()
            return found

        return await self._bounded(wait(), what)

    async def _bounded(self, work: Awaitable[T], what: str) -> T:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await work
        except TimeoutError:
            states = {run: shape["state"] for run, shape in self.runs.items()}
            raise AssertionError(f"{what or 'it'} did not come; the runs: {states}") from None

    # Tasks and runs

    async def start(self, *agents: str, count: int = 1, checks: tuple[str, ...] = (), **more: Any) -> Json:
        """Start a task with these agents."""
        choices = [{"agent": agent, "count": count} for agent in agents]
        answer = await self.command("mux.task.start", prompt="do it", agents=choices, checks=list(checks), **more)
        task: Json = answer["task"]
        return task

    async def ended(self, task: str) -> list[Json]:
        """Wait until all runs of a task have ended and returned their worktrees. Return the runs in order."""
        await self.command("mux.task.get", task=task)
        names = [name for name in self.runs if name.startswith(f"{task}-")]

        def all_ended() -> bool:
            # A run that failed for another reason than its agent keeps its worktree.
            return all(
                self.runs[name]["state"] in ENDS
                and (self.runs[name]["worktree"] is None or self.runs[name]["exit_status"] is None)
                for name in names
            )

        await self.until(all_ended, f"the end of {task}")
        return [self.runs[name] for name in sorted(names, key=lambda name: int(name.rpartition("-")[2]))]

    async def reaches(self, run: str, *states: str) -> Json:
        """Wait until a run is in one of these states, and return it."""
        await self.until(lambda: self.runs.get(run, {}).get("state") in states, f"{run} in {states}")
        return self.runs[run]

    async def run(self, command: str, **more: Any) -> Json:
        """Start one inline agent, wait until its run has ended, and return the run."""
        task = await self.start(f"sh:{command}", **more)
        return (await self.ended(task["id"]))[0]

    async def log(self, run: str, stream: str = "stdout") -> str:
        """Return the complete output of a run's agent."""
        text, offset = "", 0
        while True:
            answer = await self.command("mux.run.log", run=run, stream=stream, offset=offset, limit=1_000_000)
            text += str(answer["text"])
            if answer["offset"] == offset:
                return text
            offset = answer["offset"]

    async def diff(self, run: str, *paths: str) -> str:
        answer = await self.command("mux.run.diff", run=run, paths=list(paths))
        patch: str = answer["patch"]
        return patch

    async def review(self, run: str) -> list[Json]:
        items: list[Json] = (await self.command("mux.review.list", run=run))["items"]
        return items

    # Documents

    def open(self, path: Path, text: str | None = None) -> Buffer:
        """Open a document, with the given text in place of the file's."""
        buffer = self.buffers[path] = Buffer(uri_of(path), 1, path.read_text() if text is None else text)
        item = {"uri": buffer.uri, "languageId": "plaintext", "version": 1, "text": buffer.text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return buffer

    def change(self, path: Path, text: str) -> None:
        """Replace the text of an open document, as typing does."""
        buffer = self.buffers[path]
        buffer.version, buffer.text = buffer.version + 1, text
        identifier = {"uri": buffer.uri, "version": buffer.version}
        self.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": [{"text": text}]})

    # Received messages

    async def _read(self) -> None:
        try:
            while True:
                self._take(await read_body_async(self._out))
                self._news.set()
        except (EOFError, ConnectionError):
            return
        finally:
            self._ended = True
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(EOFError("the server has gone"))
                    answer.exception()  # marks it as retrieved, if no caller waits for it
            self._news.set()

    def _take(self, body: bytes) -> None:
        message = json.loads(body)
        method, params = message.get("method"), message.get("params")
        if method is None:
            answer = self._answers.pop(message["id"])
            if not answer.done():
                if "error" in message:
                    answer.set_exception(RefusedError(message["error"]))
                else:
                    self._learn(message.get("result"))
                    answer.set_result(message.get("result"))
            return
        if "id" in message:
            result = self._apply(params["edit"]) if method == "workspace/applyEdit" else None
            if method == "window/showMessageRequest":
                self.messages.append(params)
                result = next((one for one in params["actions"] if one["title"] == self.button), None)
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})
            return
        self.raw.append(body)
        match method:
            case "mux/runChanged":
                self._show(params["run"])
            case "mux/taskChanged":
                for run in params["task"]["runs"]:
                    self._show(run)
            case "mux/runOutput":
                key = (params["run"], params["stream"])
                self.output[key] = self.output.get(key, "") + params["text"]
            case "textDocument/publishDiagnostics":
                self.diagnostics[path_in(params["uri"])] = params["diagnostics"]

    def _learn(self, result: Any) -> None:
        """Take in the tasks of an answer as soon as it arrives, not when the caller reads it.

        An answer is newer than every notification before it, and older than every one after it.
        """
        task = result.get("task") if isinstance(result, dict) else None
        for run in task["runs"] if isinstance(task, dict) else ():
            self._show(run)

    def _show(self, run: Json) -> None:
        self.runs[run["id"]] = run
        self.shown.append((run["id"], run["state"]))

    def _apply(self, edit: Json) -> Json:
        for change in edit["documentChanges"]:
            match change.get("kind"):
                case "create":
                    path = path_in(change["uri"])
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
                case "delete":
                    path_in(change["uri"]).unlink()
                case "rename":
                    path = path_in(change["newUri"])
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path_in(change["oldUri"]).rename(path)
                case _:
                    path = path_in(change["textDocument"]["uri"])
                    text = self.buffers[path].text if path in self.buffers else path.read_bytes().decode()
                    for one in reversed(change["edits"]):
                        text = edited(text, one)
                    if path in self.buffers:
                        self.change(path, text)
                    else:
                        path.write_bytes(text.encode())
        return {"applied": True}

    # Leaving

    async def close(self) -> None:
        """Disconnect like an editor that was killed, without `shutdown`."""
        with contextlib.suppress(ProcessLookupError):
            self.bridge.kill()
        await self.bridge.wait()
        await self._reader


@asynccontextmanager
async def connected(
    home: IsolatedHome,
    folder: Path,
    *,
    applies: bool = False,
    name: str = "test",
    plain: str | None = None,
    **environment: str,
) -> AsyncIterator[Client]:
    """Yield a client that has `folder` open. `applies` sets whether it can apply edits.

    The client speaks our protocol, unless it is `plain`: such a client presses the button of this title when asked.
    """
    bridge = await asyncio.create_subprocess_exec(
        *home.command("serve"),
        env=home.environment(HOME=str(home.folder), **environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    client = Client(bridge, applies=applies)
    client.button = plain
    try:
        await client.request(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": name},
                "rootUri": uri_of(folder),
                "capabilities": {"workspace": APPLIES_EDITS if applies else {}},
                "initializationOptions": None if plain else {"mux": {"protocol": 2}},
            },
        )
        client.notify("initialized", {})
        yield client
    finally:
        await client.close()


def path_in(uri: str) -> Path:
    """Return the file of a URI, as a naive client derives it."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def edited(text: str, edit: Json) -> str:
    """Return a text of one-unit characters after one edit."""
    starts = [0, *(end for end, character in enumerate(text, 1) if character == "\n"), len(text)]
    first, last = edit["range"]["start"], edit["range"]["end"]
    start = min(starts[min(first["line"], len(starts) - 1)] + first["character"], len(text))
    end = min(starts[min(last["line"], len(starts) - 1)] + last["character"], len(text))
    return text[:start] + str(edit["newText"]) + text[end:]
