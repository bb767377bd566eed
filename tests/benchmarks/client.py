"""Provide a client over the real bridge that records the arrival time of each answer."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.support.editor import Editor
from tests.support.framing import read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.home import IsolatedHome


class TimingClient(Editor):
    """An editor that queues the notifications it gets, and records when each message arrived."""

    def __init__(self, home: IsolatedHome, folder: Path) -> None:
        super().__init__(home)
        self.arrived = 0.0
        """The time at which the last message was complete, before it was parsed (`time.perf_counter`)."""
        self._told: deque[dict[str, Any]] = deque()
        options = {"mux": {"protocol": 2}}
        self.call("initialize", {"capabilities": {}, "rootUri": folder.as_uri(), "initializationOptions": options})
        self.notify("initialized", {})

    def receive(self) -> dict[str, Any]:
        body = read_body(self._out)
        self.arrived = time.perf_counter()
        message: dict[str, Any] = json.loads(body)
        return message

    def passed_over(self, message: dict[str, Any]) -> None:
        self._told.append(message)

    def call(self, method: str, params: object = None) -> Any:
        """Send a request that must succeed, and return its result."""
        answer = self.request(method, params)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer.get("result")

    def timed(self, method: str, params: object = None) -> float:
        """Return the seconds from sending a request until its answer arrives."""
        begun = time.perf_counter()
        self.request(method, params)
        return self.arrived - begun

    def command(self, name: str, argument: dict[str, Any]) -> Any:
        """Execute one of the protocol's commands and return its result."""
        return self.call("workspace/executeCommand", {"command": name, "arguments": [argument]})

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield the received messages, first those that were queued while an answer was awaited."""
        while True:
            yield self._told.popleft() if self._told else self.receive()

    def until(self, method: str, met: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for a notification that satisfies `met`. Those before it are dropped."""
        while True:
            message = self._told.popleft() if self._told else self.receive()
            if message.get("method") == method and met(message["params"]):
                return

    def until_given_back(self, runs: int) -> list[dict[str, Any]]:
        """Wait until this many runs have ended and their worktrees are free again. Return the runs."""
        ended: dict[str, dict[str, Any]] = {}

        def all_ended(params: dict[str, Any]) -> bool:
            run = params["run"]
            if run["finished"] is not None and run["worktree"] is None:
                ended[run["id"]] = run
            return len(ended) == runs

        self.until("mux/runChanged", all_ended)
        return list(ended.values())
