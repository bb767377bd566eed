"""Test how a daemon ends, and what it reports about itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp import __version__
from mux_lsp.daemon import dial
from mux_lsp.daemon.client import connect_running, request_status, request_stop
from mux_lsp.daemon.dial import NotRunningError, OtherVersionError, is_alive, read_record
from mux_lsp.errors import MuxError
from tests.support.editor import Editor
from tests.support.framing import frame
from tests.support.home import wait_for_exit
from tests.support.tree import other_version, tune

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome

SECONDS = 20.0


def start(home: IsolatedHome) -> psutil.Process:
    """Start a daemon without clients and return it."""
    subprocess.run(home.command("serve"), env=home.environment(), stdin=subprocess.DEVNULL, check=True)
    return psutil.Process(request_status(home.paths)["pid"])


def check_left_nothing(home: IsolatedHome) -> None:
    assert not is_alive(home.paths)
    left = {path.name for path in home.state.iterdir()}
    assert left == {"daemon.lock", "start.lock", "log"}


def test_a_daemon_that_an_agent_starts_does_not_carry_the_marks_of_its_run(fake_home: IsolatedHome) -> None:
    environment = fake_home.environment(MUX_RUN="k3f-1", MUX_WORKTREE="/somewhere", MUX_TASK="k3f", KEPT="yes")
    subprocess.run(fake_home.command("serve"), env=environment, stdin=subprocess.DEVNULL, check=True)
    [daemon] = [process for process in fake_home.processes() if "daemon" in process.cmdline()]
    carried = daemon.environ()
    assert carried["KEPT"] == "yes"
    assert not {"MUX_RUN", "MUX_WORKTREE", "MUX_TASK"} & set(carried)


def test_status_tells_of_the_daemon_and_its_engine(fake_home: IsolatedHome) -> None:
    fake_home.write_config("unfinished_runs = 2")
    with Editor(fake_home) as editor:
        editor.request("initialize")
        status = request_status(fake_home.paths)
        assert status["version"] == __version__
        assert status["pid"] in {process.pid for process in fake_home.processes()}
        assert 0 <= status["uptime_seconds"] < SECONDS
        assert 1e6 < status["memory_bytes"] < 1e9
        assert [one["pid"] for one in status["clients"]] == [editor.bridge.pid]
        assert status["unfinished_runs"] == 2
        assert status["log"] == fake_home.paths.log


def test_without_a_daemon_there_is_nothing_to_ask_or_to_stop(fake_home: IsolatedHome) -> None:
    with pytest.raises(NotRunningError, match="no mux-lsp daemon is running"):
        request_status(fake_home.paths)
    with pytest.raises(NotRunningError):
        connect_running(fake_home.paths)
    assert not request_stop(home=fake_home.paths)


def test_stop_returns_when_the_process_has_ended(fake_home: IsolatedHome) -> None:
    daemon = start(fake_home)
    assert request_stop(home=fake_home.paths)
    assert wait_for_exit(daemon, 1)
    check_left_nothing(fake_home)


def test_stop_and_status_work_across_versions(fake_home: IsolatedHome) -> None:
    for version, said in (("9.9.9", "gives way only to a newer one"), ("0.0.1", "replaces it, and its runs go on")):
        start(other_version(fake_home, version))
        assert request_status(fake_home.paths)["version"] == version
        with pytest.raises(OtherVersionError, match=rf"that runs is {version}.*{said}"):
            connect_running(fake_home.paths)
        assert request_stop(home=fake_home.paths)


def test_stop_ends_a_daemon_whose_socket_has_been_cleaned_away(fake_home: IsolatedHome) -> None:
    daemon = start(fake_home)
    (fake_home.state / "daemon.sock").unlink()
    assert request_stop(home=fake_home.paths)
    assert wait_for_exit(daemon, 1)


def test_stop_ends_a_daemon_that_hangs(fake_home: IsolatedHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "ANSWER_SECONDS", 0.3)
    with Editor(fake_home) as editor:
        editor.request("initialize")
        daemon = psutil.Process(request_status(fake_home.paths)["pid"])
        editor.request("block-the-loop")
        with pytest.raises(MuxError, match="does not answer: run `mux-lsp stop`"):
            request_status(fake_home.paths)
        assert request_stop(0.3, home=fake_home.paths)
        assert wait_for_exit(daemon, 1)


def test_stop_never_ends_a_process_that_only_has_the_daemons_old_pid(fake_home: IsolatedHome) -> None:
    daemon = start(fake_home)
    holder = Path(fake_home.paths.daemon_lock)
    text = holder.read_text()
    (fake_home.state / "daemon.sock").unlink()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        hours_ago = psutil.Process(innocent.pid).create_time() - 7200
        holder.write_text(json.dumps({"pid": innocent.pid, "created": hours_ago}))
        with pytest.raises(MuxError, match="does not say which it is"):
            request_stop(0.5, home=fake_home.paths)
        assert innocent.poll() is None
        innocent.kill()
    assert daemon.is_running()
    holder.write_text(text)
    assert request_stop(home=fake_home.paths)


def test_it_ends_when_idle(fake_home: IsolatedHome) -> None:
    fake_home.write_config("idle_seconds = 0.3")
    daemon = start(fake_home)
    assert wait_for_exit(daemon, SECONDS)
    assert "ending: no client and no unfinished run for 0.3 s" in fake_home.log
    check_left_nothing(fake_home)


def test_it_does_not_end_while_there_is_a_client(fake_home: IsolatedHome) -> None:
    fake_home.write_config("idle_seconds = 0.2")
    with Editor(fake_home) as stays:
        stays.request("initialize")
        with Editor(fake_home) as leaves:
            leaves.request("initialize")
            daemon = psutil.Process(request_status(fake_home.paths)["pid"])
            leaves.close_input()
            assert leaves.wait() == 0
        assert not wait_for_exit(daemon, 0.6)
    assert wait_for_exit(daemon, SECONDS)


def test_it_does_not_end_while_there_is_a_run(fake_home: IsolatedHome) -> None:
    fake_home.write_config("idle_seconds = 0.2\nunfinished_runs = 1")
    daemon = start(fake_home)
    assert not wait_for_exit(daemon, 0.6)
    ask_for_runs(fake_home, 0, after=0.3)
    assert wait_for_exit(daemon, SECONDS)  # the run ended after the last client left


def test_a_run_that_begins_when_it_was_idle_already_keeps_it(fake_home: IsolatedHome) -> None:
    fake_home.write_config("idle_seconds = 0.4")
    daemon = start(fake_home)
    ask_for_runs(fake_home, 1, after=0.1)
    assert not wait_for_exit(daemon, 0.8)
    ask_for_runs(fake_home, 0, after=0)
    assert wait_for_exit(daemon, SECONDS)


def ask_for_runs(home: IsolatedHome, count: int, *, after: float) -> None:
    """Let the engine change the number of its unfinished runs after this many seconds."""
    params = {"count": count, "seconds": after}
    with connect_running(home.paths) as connection:
        connection.sock.sendall(frame({"jsonrpc": "2.0", "method": "unfinished-later", "params": params}))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(fake_home: IsolatedHome, number: int) -> None:
    with Editor(fake_home) as one, Editor(fake_home) as other:
        for editor in (one, other):
            editor.request("initialize")
        daemon = psutil.Process(request_status(fake_home.paths)["pid"])
        daemon.send_signal(number)
        assert (one.wait(), other.wait()) == (1, 1)
        assert wait_for_exit(daemon, SECONDS)
    check_left_nothing(fake_home)
    assert "cancelled" not in fake_home.log
    assert fake_home.log.rstrip().endswith("ended")


def test_a_session_that_does_not_end_is_cancelled_and_counted(fake_home: IsolatedHome) -> None:
    tune(fake_home, "daemon/clients.py", "DRAIN_SECONDS", 0.2)
    with Editor(fake_home) as one, Editor(fake_home) as other:
        one.request("wait-forever")
        other.request("initialize")
        assert request_stop(home=fake_home.paths)
    assert "1 of 2 sessions did not end in 0.2 s: cancelled" in fake_home.log


def test_a_shutdown_that_hangs_is_broken_off_with_the_reason_in_the_log(fake_home: IsolatedHome) -> None:
    tune(fake_home, "daemon/server.py", "SHUTDOWN_SECONDS", 0.5)
    with Editor(fake_home) as editor:
        editor.request("block-at-the-end")
        daemon = psutil.Process(request_status(fake_home.paths)["pid"])
        daemon.terminate()
        assert wait_for_exit(daemon, SECONDS)
    assert "Timeout (0:00:00.500000)!" in fake_home.log
    assert "session.py" in fake_home.log


def test_a_second_daemon_says_so_and_ends(fake_home: IsolatedHome) -> None:
    daemon = start(fake_home)
    done = subprocess.run(
        fake_home.command("daemon"), env=fake_home.environment(), capture_output=True, text=True, check=True
    )
    assert f"a mux-lsp daemon is already running (pid {daemon.pid})" in done.stderr
    assert "Traceback" not in done.stderr
    assert request_status(fake_home.paths)["pid"] == daemon.pid


def test_a_new_daemon_waits_for_one_that_is_ending(fake_home: IsolatedHome) -> None:
    tune(fake_home, "daemon/clients.py", "DRAIN_SECONDS", 1)
    with Editor(fake_home) as hanging:
        hanging.request("wait-forever")
        first = psutil.Process(request_status(fake_home.paths)["pid"])
        with connect_running(fake_home.paths) as connection:
            first.terminate()
            connection.wait_for_end(SECONDS)  # it has asked its sessions to end, and the hanging one does not
        assert is_alive(fake_home.paths)
        with Editor(fake_home) as editor:
            assert "result" in editor.request("initialize")
        assert read_record(fake_home.paths) is not None
    assert fake_home.log.count("listens on") == 2


def test_in_the_foreground_it_speaks_to_the_terminal_and_ends_by_signal(fake_home: IsolatedHome) -> None:
    daemon = subprocess.Popen(
        fake_home.command("daemon"), env=fake_home.environment(), stderr=subprocess.PIPE, text=True
    )
    assert daemon.stderr is not None
    with daemon:
        assert "listens on" in daemon.stderr.readline()
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(SECONDS) == 0
        assert "Traceback" not in daemon.stderr.read()


def test_in_the_foreground_a_failure_is_one_sentence(fake_home: IsolatedHome) -> None:
    fake_home.write_config('error_at_open = "no room"')
    done = subprocess.run(
        fake_home.command("daemon"), env=fake_home.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("no room\n")


def test_the_log_is_bounded_and_standard_error_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "daemon.log"
    program = """
import logging, os, sys
from mux_lsp.daemon import logs
logs._BYTES = 10_000
logs.set_up(sys.argv[1], detached=True)
for number in range(2000):
    logging.info("%d %s", number, "x" * 50)
os.write(2, b"the last words")
"""
    with path.open("wb") as log:
        subprocess.run([sys.executable, "-c", program, str(path)], stderr=log, check=True)
    assert "the last words" in path.read_text()
    assert len(list(tmp_path.iterdir())) == 4
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 50_000


def test_a_bridge_start_is_quick(fake_home: IsolatedHome) -> None:
    """This only guards against gross mistakes: the benchmark has the real figure."""
    start(fake_home)
    begun = time.monotonic()
    start(fake_home)
    assert time.monotonic() - begun < 2
