"""Play an editor towards the bridge: a process that spawns it and speaks over its pipes."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from typing import TYPE_CHECKING, Any, Self

from tests.support.framing import frame, read_message

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome

WAIT_SECONDS = 30.0


class Editor:
    """One bridge and the messages over it. Calls block; the test's own time limit bounds every wait."""

    def __init__(self, home: IsolatedHome, **environment: str) -> None:
        self._ids = itertools.count(1)
        self.bridge = subprocess.Popen(
            home.command("serve"),
            env=home.environment(**environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.bridge.stdin is not None
        assert self.bridge.stdout is not None
        assert self.bridge.stderr is not None
        self._in, self._out, self._err = self.bridge.stdin, self.bridge.stdout, self.bridge.stderr

    def send_bytes(self, data: bytes) -> None:
        self._in.write(data)
        self._in.flush()

    def notify(self, method: str, params: object = None) -> None:
        self.send_bytes(frame({"jsonrpc": "2.0", "method": method, "params": params}))

    def ask(self, method: str, params: object = None) -> int:
        """Send a request and return its id."""
        number = next(self._ids)
        self.send_bytes(frame({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        return number

    def receive(self) -> dict[str, Any]:
        """The next message. Raises EOFError at the end of the stream."""
        return read_message(self._out)

    def request(self, method: str, params: object = None) -> dict[str, Any]:
        """Send a request and return the whole answer, with `result` or `error`. Notifications before it are dropped."""
        number = self.ask(method, params)
        while (message := self.receive()).get("id") != number:
            self.passed_over(message)
        return message

    def passed_over(self, message: dict[str, Any]) -> None:
        """Called with each message that came while an answer was waited for."""

    def close_input(self) -> None:
        self._in.close()

    def wait(self) -> int:
        """Wait for the bridge to end and return its exit status."""
        return self.bridge.wait(WAIT_SECONDS)

    def errors(self) -> str:
        """Wait for the bridge to end and return its standard error."""
        return self._err.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bridge.kill()
        self.bridge.wait()
        for pipe in (self._in, self._out, self._err):
            with contextlib.suppress(BrokenPipeError):  # it ended before it read all of the input
                pipe.close()
