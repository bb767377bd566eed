"""Test the bridge between a running editor and a running daemon: bytes in both directions, and their ends."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from mux_lsp.daemon.client import request_stop
from tests.support.editor import Editor
from tests.support.framing import frame

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome


def test_large_messages_arrive_whole_in_both_directions(fake_home: IsolatedHome) -> None:
    text = "0123456789abcdef" * 500_000
    with Editor(fake_home) as editor:
        assert editor.request("echo", text)["result"]["echo"] == text


def test_an_editor_that_does_not_read_is_still_heard(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as editor, Editor(fake_home) as watcher:
        assert "result" in editor.request("initialize")
        assert "result" in watcher.request("name", "watcher")
        editor.notify("flood", {"times": 40, "bytes": 100_000})
        editor.receive()
        # The rest is in transit to an editor that reads nothing: the pipe, the bridge and the socket are full.
        editor.notify("tell", {"client": "watcher", "text": "heard all the same"})
        assert watcher.receive()["params"] == "heard all the same"
        for _ in range(39):
            assert len(editor.receive()["params"]) == 100_000


def test_a_script_that_closes_its_input_still_gets_its_answers(fake_home: IsolatedHome) -> None:
    requests = b"".join(frame({"jsonrpc": "2.0", "id": number, "method": "echo"}) for number in range(100))
    begun = time.monotonic()
    done = subprocess.run(
        fake_home.command("serve"), env=fake_home.environment(), input=requests, capture_output=True, check=True
    )
    assert time.monotonic() - begun < 4  # it did not have to time out
    bodies = [json.loads("{" + part.split("{", 1)[1]) for part in done.stdout.decode().split("Content-Length: ")[1:]]
    assert [body["id"] for body in bodies] == list(range(100))
    assert done.stderr == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_bridge_in_silence_and_the_daemon_stays(fake_home: IsolatedHome, number: int) -> None:
    with Editor(fake_home) as editor:
        editor.request("initialize")
        editor.bridge.send_signal(number)
        assert editor.wait() == 0
        assert editor.errors() == ""
    with Editor(fake_home) as editor:
        assert "result" in editor.request("initialize")
    assert fake_home.log.count("listens on") == 1


def test_exit_ends_the_bridge_in_silence(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as editor:
        editor.request("shutdown")
        editor.notify("exit")
        assert editor.wait() == 0
        assert editor.errors() == ""


def test_an_editor_that_goes_away_without_reading_leaves_no_bridge(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as editor:
        editor.request("initialize")
        editor.ask("flood", {"times": 50, "bytes": 100_000})
        assert editor.bridge.stdout is not None
        editor.bridge.stdout.close()
        assert editor.wait() == 0


def test_stopping_the_daemon_ends_the_bridge_with_a_word(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as editor:
        editor.request("initialize")
        assert request_stop(home=fake_home.paths)
        assert editor.wait() == 1
        errors = editor.errors()
        assert fake_home.paths.log in errors
        assert errors.count("\n") == 1


def test_options_that_editors_add_are_accepted(fake_home: IsolatedHome) -> None:
    command = [*fake_home.command("serve"), "--stdio", "--clientProcessId=1"]
    subprocess.run(command, env=fake_home.environment(), stdin=subprocess.DEVNULL, check=True)
