"""Test that the bridge finds a daemon, or starts one, or reports the reason in the editor."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp import __version__
from mux_lsp.daemon.client import request_status
from mux_lsp.daemon.dial import is_alive, read_record
from tests.support.editor import Editor
from tests.support.tree import other_version

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome


def check_refused(home: IsolatedHome, *parts: str) -> None:
    """Assert that the answer to `initialize` is one sentence with all of the parts.

    An editor without our plugin gets it as a message too.
    """
    with Editor(home) as editor:
        number = editor.ask("initialize", {"initializationOptions": {"mux": {"protocol": 2}}})
        answer = editor.receive()
        assert answer["id"] == number
        sentence = answer["error"]["message"]
    with Editor(home) as editor:
        number = editor.ask("initialize", {})
        shown, answer = editor.receive(), editor.receive()
        assert shown["method"] == "window/showMessage"
        assert shown["params"]["type"] == 1
        assert answer["id"] == number
        assert answer["error"]["message"] == shown["params"]["message"] == sentence
        assert all(part in sentence for part in parts), sentence
        assert "\n" not in sentence
        # It stays until the editor has had time to read it: some editors report only that the server has ended.
        assert editor.bridge.poll() is None
        editor.close_input()
        assert editor.wait() == 1
        errors = editor.errors()
        assert all(part in errors for part in parts)
        assert "Traceback" not in errors


def daemon_pid(home: IsolatedHome) -> int:
    pid = request_status(home.paths)["pid"]
    assert isinstance(pid, int)
    return pid


def test_ten_bridges_at_once_get_one_daemon(fake_home: IsolatedHome) -> None:
    with ExitStack() as stack:
        editors = [stack.enter_context(Editor(fake_home)) for _ in range(10)]
        for number, editor in enumerate(editors):
            assert editor.request("initialize", number)["result"]["echo"] == number
        daemons = [process for process in fake_home.processes() if "daemon" in process.cmdline()]
        assert [process.pid for process in daemons] == [daemon_pid(fake_home)]
        assert fake_home.log.count("listens on") == 1
        assert "not started" not in fake_home.log  # no bridge even tried a second one
        assert len(request_status(fake_home.paths)["clients"]) == 10


def test_the_daemon_belongs_to_nobody(fake_home: IsolatedHome) -> None:
    """It outlives its bridge, in a session of its own, as an orphan, and with no file of the bridge's open."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        command, environment = fake_home.command("serve"), fake_home.environment()
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True, pass_fds=(writing,))
    finally:
        os.close(writing)
    assert os.read(reading, 1) == b""  # no process holds the other end: reading would block otherwise
    os.close(reading)
    daemon = psutil.Process(daemon_pid(fake_home))
    assert os.getsid(daemon.pid) != os.getsid(0)
    assert os.getsid(daemon.pid) != daemon.pid  # not the session's leader, so it can get no controlling terminal
    assert daemon.terminal() is None
    assert daemon.cwd() == str(fake_home.state)


def test_what_lies_in_the_working_folder_is_not_imported(fake_home: IsolatedHome, tmp_path: Path) -> None:
    fake_home.state.mkdir(mode=0o700)
    for folder in (tmp_path, fake_home.state):
        for name in ("socket", "asyncio", "psutil", "mux_lsp"):
            (folder / f"{name}.py").write_text("raise SystemExit('imported from the working folder')")
    done = subprocess.run(
        fake_home.command("serve"), env=fake_home.environment(), cwd=tmp_path, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0
    assert is_alive(fake_home.paths)


def test_after_kill_9_the_bridge_ends_and_the_next_one_starts_a_new_daemon(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as editor:
        editor.request("initialize")
        first = daemon_pid(fake_home)
        os.kill(first, signal.SIGKILL)
        assert editor.wait() == 1
        assert "the daemon closed this connection" in editor.errors()
    assert read_record(fake_home.paths) is not None  # stale: no process listens on its socket
    with Editor(fake_home) as editor:
        assert "result" in editor.request("initialize")
        assert daemon_pid(fake_home) != first


def test_an_address_that_passed_to_another_program_is_taken_for_stale(fake_home: IsolatedHome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        fake_home.state.mkdir(mode=0o700)
        record = f'{{"pid": 1, "created": 0, "address": "tcp:127.0.0.1:{port}", "token": "t", "version": "0"}}'
        Path(fake_home.paths.daemon_record).write_text(record)
        with Editor(fake_home) as editor:
            for _ in range(2):  # the first attempt, and the one under the lock
                connection, _ = other.accept()
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()
            assert "result" in editor.request("initialize")


@pytest.mark.parametrize("record", ["", "not json", "[]", "{}", '{"address": 7}', '{"address": "tcp:127.0.0.1:no"}'])
def test_a_broken_record_is_replaced(fake_home: IsolatedHome, record: str) -> None:
    fake_home.state.mkdir(mode=0o700)
    Path(fake_home.paths.daemon_record).write_text(record)
    with Editor(fake_home) as editor:
        assert "result" in editor.request("initialize")


def test_over_loopback_tcp(fake_home: IsolatedHome) -> None:
    with Editor(fake_home, MUX_LSP_TRANSPORT="tcp") as editor:
        assert "result" in editor.request("initialize")
        assert request_status(fake_home.paths)["address"].startswith("tcp:127.0.0.1:")


def test_a_home_whose_path_is_too_long_for_a_socket(fake_home: IsolatedHome) -> None:
    long = replace(fake_home, folder=fake_home.folder / ("x" * 120))
    try:
        with Editor(long) as editor:
            assert "result" in editor.request("initialize")
            address = request_status(long.paths)["address"]
            assert not address.startswith(f"unix:{long.folder}")
    finally:
        long.stop()
    assert not Path(address.removeprefix("unix:")).parent.exists()


def test_why_the_engine_does_not_open_is_said_in_the_editor(fake_home: IsolatedHome) -> None:
    fake_home.write_config('error_at_open = "the journal mux.db is damaged: move it away"')
    check_refused(fake_home, "the journal mux.db is damaged: move it away")
    assert not is_alive(fake_home.paths)
    fake_home.write_config("")
    with Editor(fake_home) as editor:
        assert "result" in editor.request("initialize")


def test_a_bug_at_the_start_is_said_in_the_editor_with_the_log(fake_home: IsolatedHome) -> None:
    fake_home.write_config('bug_at_open = "oops"')
    check_refused(fake_home, "ZeroDivisionError: oops", "a bug", fake_home.paths.log)
    assert "Traceback" in fake_home.log


def test_a_daemon_that_cannot_even_be_imported_leaves_its_last_words(fake_home: IsolatedHome) -> None:
    (Path(fake_home.extra["PYTHONPATH"]) / "mux_lsp/daemon/server.py").write_text("import no_such_module")
    check_refused(fake_home, "No module named 'no_such_module'", fake_home.paths.log)


def test_a_state_folder_that_cannot_be_made(fake_home: IsolatedHome) -> None:
    fake_home.state.write_text("a file")
    check_refused(fake_home, str(fake_home.state), "MUX_LSP_HOME")
    fake_home.state.unlink()


@pytest.mark.parametrize("place", ["start_lock", "daemon_lock", "log"])
def test_a_file_in_the_state_folder_that_cannot_be_written(fake_home: IsolatedHome, place: str) -> None:
    path = Path(getattr(fake_home.paths, place))
    path.mkdir(parents=True)
    check_refused(fake_home, str(path), "MUX_LSP_HOME")
    path.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else")
def test_a_state_folder_of_somebody_else(fake_home: IsolatedHome) -> None:
    fake_home.state.mkdir()
    os.chown(fake_home.state, 12345, -1)
    check_refused(fake_home, "belongs to another user")


def test_without_an_editor_the_reason_is_on_standard_error(fake_home: IsolatedHome) -> None:
    fake_home.write_config('error_at_open = "no."')
    with Editor(fake_home) as editor:
        editor.close_input()
        assert editor.wait() == 1
        assert editor.errors() == "mux-lsp serve: no.\n"


def test_a_newer_version_takes_over(fake_home: IsolatedHome) -> None:
    newer = other_version(fake_home, "9.9.9")
    with Editor(fake_home) as stays:
        stays.request("initialize")
        first = daemon_pid(fake_home)
        with Editor(newer) as editor:
            assert editor.request("initialize")["result"]["version"] == "9.9.9"
            assert request_status(fake_home.paths)["version"] == "9.9.9"
            assert not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE
            assert stays.wait() == 1
            assert "the daemon closed this connection (it was stopped or restarted" in stays.errors()


def test_ten_bridges_of_a_newer_version_make_one_hand_over(fake_home: IsolatedHome) -> None:
    newer = other_version(fake_home, "9.9.9")
    subprocess.run(fake_home.command("serve"), env=fake_home.environment(), stdin=subprocess.DEVNULL, check=True)
    with ExitStack() as stack:
        editors = [stack.enter_context(Editor(newer)) for _ in range(10)]
        assert {editor.request("initialize")["result"]["version"] for editor in editors} == {"9.9.9"}
    assert fake_home.log.count("listens on") == 2


@pytest.mark.parametrize("clients", [0, 1])
def test_an_older_version_is_refused_in_a_sentence(fake_home: IsolatedHome, clients: int) -> None:
    with Editor(fake_home) as editor:
        editor.request("initialize")
        before = daemon_pid(fake_home)
        if not clients:
            editor.notify("exit")
            editor.wait()
        check_refused(
            other_version(fake_home, "0.0.1"),
            f"the mux-lsp daemon that runs is {__version__} and gives way only to a newer one, but this is mux-lsp "
            "0.0.1: update this one, or end that daemon with `mux-lsp stop` and try again",
        )
        assert daemon_pid(fake_home) == before
        if clients:
            assert "result" in editor.request("still there")


def test_a_newer_version_is_refused_while_the_engine_cannot_hand_over(fake_home: IsolatedHome) -> None:
    fake_home.write_config("can_hand_over = false\nunfinished_runs = 3")
    subprocess.run(fake_home.command("serve"), env=fake_home.environment(), stdin=subprocess.DEVNULL, check=True)
    check_refused(
        other_version(fake_home, "9.9.9"), "at work with 3 unfinished runs and cannot hand it over to", "stop"
    )


def test_the_bridge_imports_nothing_heavy(fake_home: IsolatedHome) -> None:
    subprocess.run(fake_home.command("serve"), env=fake_home.environment(), stdin=subprocess.DEVNULL, check=True)
    command = [sys.executable, "-X", "importtime", "-m", "mux_lsp", "serve"]
    done = subprocess.run(
        command, env=fake_home.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "mux_lsp.daemon.bridge" in imported
    assert not imported & {"socket", "pathlib", "subprocess", "threading", "asyncio", "typing", "dataclasses", "psutil"}
    third_party = {
        name for name in imported if name.partition(".")[0] in {"pygls", "lsprotocol", "click", "git", "rich"}
    }
    assert not third_party


def test_a_state_folder_that_vanishes_is_made_again(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as editor:
        editor.request("initialize")
    fake_home.stop()
    shutil.rmtree(fake_home.state)
    with Editor(fake_home) as editor:
        assert "result" in editor.request("initialize")
