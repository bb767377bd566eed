"""Test starting, waiting for and ending agents, with real processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mux_lsp.agents.process import _SUPERVISOR, Process, clear_records, find_orphan, is_there, read_exit, start, wait
from mux_lsp.agents.process_table import created_at, read_table, read_with_psutil
from mux_lsp.errors import AgentError
from tests.integration.agents.conftest import ENVIRONMENT, Bystanders, RunFixture, is_alive

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="command agents need a POSIX system")


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("true", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("no-such-command-anywhere", 127),
        ("kill -TERM $PPID; exit 3", 3),
        ("kill -INT 0; exit 3", 130),
    ],
)
async def test_exit_status(run: RunFixture, script: str, status: int) -> None:
    process = run.start(script)
    assert await wait(process, run.folder) == status
    assert (run.folder / "exit").read_text() == f"{status}\n"


@pytest.mark.parametrize("shell", ["dash", "bash", "sh"])
def test_supervisor_is_the_same_in_every_shell(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    supervisor = [shell, "-c", _SUPERVISOR, str(tmp_path)]
    for script, status in {"exit 3": 3, "kill -TERM $$": 143, "kill -TERM $PPID; exit 4": 4}.items():
        ended = subprocess.run([*supervisor, "/bin/sh", "-c", script], check=False, capture_output=True)
        assert (ended.returncode, read_exit(tmp_path)) == (status, status)


async def test_output_goes_to_files_and_is_appended(run: RunFixture) -> None:
    for number in (1, 2):
        process = run.start(f"echo out {number}; echo err {number} >&2; cat")
        assert await wait(process, run.folder) == 0, "standard input is at its end at once"
        await run.end(process)
    assert (run.folder / "stdout").read_text() == "out 1\nout 2\n"
    assert (run.folder / "stderr").read_text() == "err 1\nerr 2\n"


async def test_agent_inherits_no_descriptor_and_leads_a_session(run: RunFixture) -> None:
    with socket.socket() as inherited:
        inherited.set_inheritable(True)
        process = run.start("ls -l /proc/self/fd; ps -o sid= -p $$; pwd")
        await wait(process, run.folder)
    output = (run.folder / "stdout").read_text()
    assert "socket:" not in output
    assert f"{process.pid}\n" in output.replace(" ", "")
    assert str(run.worktree) in output


async def test_agent_does_not_read_what_the_daemon_reads(run: RunFixture) -> None:
    process = run.start_from_another_daemon("ls -l /proc/self/fd/0")
    await wait(process, run.folder)
    assert (run.folder / "stdout").read_text().endswith("-> /dev/null\n")


async def test_agent_has_the_given_environment_and_nothing_else(run: RunFixture) -> None:
    environment = {"PATH": ENVIRONMENT["PATH"], "s": "1", "status": "2", "PWD": str(run.worktree), "ODD": "a\nb $(c)"}
    process = start(["env", "-0"], folder=run.worktree, environment=environment, run_folder=run.folder, mark=run.mark)
    await wait(process, run.folder)
    await run.end(process)
    printed = dict(entry.split("=", 1) for entry in (run.folder / "stdout").read_text().split("\0") if entry)
    assert {
        name: value for name, value in printed.items() if name not in {"_", "SHLVL", "OLDPWD"}
    } == environment | run.mark


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-command", "'no-such-command' was not found on PATH"),
        ("exit", "'exit' was not found on PATH"),
        ("./missing.sh", "'./missing.sh' was not found in"),
        ("./plain.txt", "plain.txt is not executable"),
    ],
)
def test_command_that_cannot_be_found(run: RunFixture, command: str, words: str) -> None:
    (run.worktree / "plain.txt").touch()
    with pytest.raises(AgentError, match=words):
        start([command], folder=run.worktree, environment=ENVIRONMENT, run_folder=run.folder, mark=run.mark)


def test_command_line_that_is_too_long_says_what_to_do(run: RunFixture) -> None:
    with pytest.raises(AgentError, match="prompt_file"):
        start(
            ["echo", "x" * 10_000_000],
            folder=run.worktree,
            environment=ENVIRONMENT,
            run_folder=run.folder,
            mark=run.mark,
        )


async def test_many_agents_are_waited_for_at_once(tmp_path: Path) -> None:
    async def one(number: int) -> int | None:
        folder = tmp_path / str(number)
        folder.mkdir()
        process = start(
            ["sh", "-c", f"exit {number}"],
            folder=folder,
            environment=ENVIRONMENT,
            run_folder=folder,
            mark={"MUX_RUN": folder.name, "MUX_WORKTREE": str(folder)},
        )
        return await wait(process, folder)

    assert await asyncio.gather(*(one(number) for number in range(40))) == list(range(40))


async def test_cancelled_wait_leaves_the_agent_at_work(run: RunFixture) -> None:
    process = run.start("echo up >$READY; exec sleep 1000")
    waiting = asyncio.ensure_future(wait(process, run.folder))
    await run.said()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert is_alive(process.pid)


async def test_ended_agent_is_reaped(run: RunFixture) -> None:
    process = run.start("true")
    await wait(process, run.folder)
    assert created_at(process.pid) is not None, "its number stays ours until the sweep"
    await run.end(process)
    assert created_at(process.pid) is None


# A busy script that signals when its command runs: between fork and exec a command has its script's TERM trap.
WORK = "while :; do sh -c 'echo up >$READY; exec sleep 1000'; done"

# Each prints its process id and tries to outlive its run.
TELL = "echo $$ >$READY; exec sleep 1000"
QUOTED_TELL = TELL.replace("$", "\\$")
SURVIVORS = {
    "a child": f"(sh -c '{TELL}') & wait",
    "a child left behind": f"(sh -c '{TELL}') &",
    "one in a session of its own": f"setsid sh -c '{TELL}' &",
    "one that has daemonised": f"(setsid sh -c '(sh -c \"{QUOTED_TELL}\") & exit' &)",
    "one with a cleared environment": f"env -i READY=$READY PATH=$PATH sh -c '{TELL}' >/dev/null 2>&1 &",
    "a daemon with a cleared environment": f"(env -i READY=$READY PATH=$PATH setsid sh -c '{TELL}' &)",
    "a daemon with its output closed": f"(setsid sh -c '{TELL}' >/dev/null 2>&1 &)",
    "one in another folder": f"(cd / && setsid sh -c '{TELL}' &)",
    "one that ignores TERM": f"(trap \"\" TERM; setsid sh -c '{TELL}' &)",
    "one in the session of a daemon": (
        f"(setsid sh -c '(env -i READY=$READY PATH=$PATH sh -c \"{QUOTED_TELL}\" >/dev/null 2>&1 &); sleep 1000' &)"
    ),
    "one that ignores TERM and has nothing but its parent": (
        f"(trap \"\" TERM; exec env -i READY=$READY PATH=$PATH setsid sh -c '{TELL}' >/dev/null 2>&1) & wait"
    ),
    "one that is stopped": "sh -c 'echo $$ >$READY; kill -STOP $$; sleep 1000' & wait",
}


@pytest.mark.parametrize("name", SURVIVORS)
async def test_nothing_outlives_a_cancelled_run(run: RunFixture, name: str) -> None:
    process = run.start(SURVIVORS[name] + "\nsleep 1000")
    pids = [int(word) for word in await run.said()]
    assert all(is_alive(pid) for pid in pids)
    assert await run.end(process, grace=0.3 if "TERM" in name else 5) == ()
    assert not [pid for pid in [process.pid, *pids] if is_alive(pid)]


@pytest.mark.parametrize("name", [name for name in SURVIVORS if not SURVIVORS[name].endswith("wait")])
async def test_nothing_outlives_an_agent_that_has_ended(run: RunFixture, name: str) -> None:
    process = run.start(SURVIVORS[name])
    pids = [int(word) for word in await run.said()]
    assert await wait(process, run.folder) == 0
    assert all(is_alive(pid) for pid in pids)
    await run.end(process, grace=0.3 if "TERM" in name else 5)
    assert not [pid for pid in pids if is_alive(pid)]


@pytest.mark.parametrize("name", SURVIVORS)
async def test_nothing_outlives_a_run_of_an_earlier_daemon(run: RunFixture, name: str) -> None:
    process = run.start_from_another_daemon(SURVIVORS[name] + "\nsleep 1000")
    pids = [int(word) for word in await run.said()]
    await run.end(process, grace=0.3 if "TERM" in name else 5)
    assert not [pid for pid in [process.pid, *pids] if is_alive(pid)]
    assert read_exit(run.folder) in {143, 137}


@pytest.mark.usefixtures("orphans_are_ours")
async def test_earlier_daemons_agent_is_waited_for_and_swept(run: RunFixture) -> None:
    # Only its session identifies the process left behind as one of this run.
    left_behind = "env -i READY=$READY PATH=$PATH sh -c 'echo $$ >$READY; exec sleep 1000' >/dev/null 2>&1 &"
    go_on = run.folder / "go on"
    os.mkfifo(go_on)
    process = run.start_from_another_daemon(f"{left_behind}\nread line <'{go_on}'; echo done; exit 5")
    (pid,) = await run.said()
    waiting = asyncio.ensure_future(wait(process, run.folder))
    await asyncio.to_thread(go_on.write_text, "now\n")
    assert await waiting == 5
    # The system may reap an orphan at any moment: its number is free from here on.
    await asyncio.to_thread(os.waitpid, process.pid, 0)
    assert (run.folder / "stdout").read_text() == "done\n"
    assert is_alive(int(pid))
    await run.end(process)
    assert not is_alive(int(pid))


async def test_agent_that_ended_between_two_daemons(run: RunFixture) -> None:
    process = run.start_from_another_daemon("echo $PPID >$READY; exit 9")
    await run.said()
    # The first wait sees it end, the second finds it gone: both return its status.
    assert [await wait(process, run.folder), await wait(process, run.folder)] == [9, 9]


async def test_run_whose_process_was_never_noted_is_found_by_its_mark(run: RunFixture) -> None:
    process = run.start_from_another_daemon("echo $$ >$READY; exec sleep 1000")
    (pid,) = await run.said()
    await run.end(None)
    assert not is_alive(process.pid)
    assert not is_alive(int(pid))


async def test_bystanders_live_on(run: RunFixture, bystanders: Bystanders, tmp_path: Path) -> None:
    (run.folder / "stdout").touch()
    here = str(run.worktree)
    started = [
        bystanders("sleep", "1000", folder=run.worktree),  # a person who went there to look
        bystanders("sleep", "1000", MUX_RUN="k3f-1", MUX_WORKTREE=str(tmp_path / "other")),
        bystanders("sleep", "1000", MUX_RUN="k3f-11", MUX_WORKTREE=here),
        bystanders("sleep", "1000", NOT_MUX_RUN="k3f-1", MUX_WORKTREE=here),
        bystanders("tail", "-f", str(run.folder / "stdout")),
    ]
    process = run.start("echo up >$READY; exec sleep 1000")
    await run.said()
    await run.end(process)
    assert not is_alive(process.pid)
    assert [one.poll() for one in started] == [None] * len(started)


async def test_number_that_passed_to_another_process(run: RunFixture, bystanders: Bystanders) -> None:
    stranger = bystanders("sleep", "1000")
    created = created_at(stranger.pid)
    assert created is not None
    gone = Process(stranger.pid, created - 1)
    (run.folder / "exit").write_text("4\n")
    assert await wait(gone, run.folder) == 4
    await run.end(gone, grace=0)
    assert stranger.poll() is None


async def test_session_that_a_later_process_of_the_number_left(run: RunFixture, bystanders: Bystanders) -> None:
    leader = bystanders("sh", "-c", f"sleep 1000 & echo $! >{run.ready}; read line", stdin=subprocess.PIPE)
    (pid,) = await run.said()
    created = created_at(leader.pid)
    assert created is not None
    leader.communicate()
    await run.end(Process(leader.pid, created - 1), grace=0)
    assert is_alive(int(pid))
    os.kill(int(pid), signal.SIGKILL)


async def test_killed_agent_has_its_status_recorded(run: RunFixture) -> None:
    for _ in range(10):
        process = run.start(f"trap '' TERM; {WORK}")
        await run.said()
        await run.end(process, grace=0)
        assert read_exit(run.folder) == 137


async def test_supervisor_that_has_not_started_its_agent_yet(run: RunFixture, bystanders: Bystanders) -> None:
    supervisor = bystanders("sh", "-c", "read line; sleep 1000", stdin=subprocess.PIPE)
    created = created_at(supervisor.pid)
    assert created is not None
    await run.end(Process(supervisor.pid, created))
    assert not is_alive(supervisor.pid)


async def test_daemon_that_an_agent_started_does_not_end_itself(run: RunFixture) -> None:
    program = (
        "import asyncio, json, os; from mux_lsp.agents.process import end\n"
        "mark = {name: os.environ[name] for name in ('MUX_RUN', 'MUX_WORKTREE')}\n"
        "asyncio.run(end(None, mark, 0)); print('alive')\n"
    )
    daemon = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={**ENVIRONMENT, **run.mark},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    output, _ = await daemon.communicate()
    assert (output, daemon.returncode) == (b"alive\n", 0)


async def test_agent_has_its_grace_to_tidy_up(run: RunFixture) -> None:
    process = run.start(f"trap 'echo tidied; exit 3' TERM; {WORK}")
    await run.said()
    await run.end(process)
    assert (run.folder / "stdout").read_text() == "tidied\n"
    assert read_exit(run.folder) == 3


async def test_command_by_which_an_agent_tidies_up_is_not_ended(run: RunFixture) -> None:
    tidy = 'sh -c "trap exit TERM; sleep 0.2; echo tidied"'
    process = run.start(f"trap '{tidy}; exit 3' TERM; {WORK}")
    await run.said()
    await run.end(process)
    assert (run.folder / "stdout").read_text() == "tidied\n"
    assert read_exit(run.folder) == 3


async def test_run_that_is_ended_in_its_first_moment(run: RunFixture) -> None:
    """The supervisor may or may not have started the agent by then."""
    for _ in range(15):
        process = run.start("sleep 1000")
        await run.end(process, grace=0)
        assert not [entry for entry in read_table(run.mark).values() if entry.marked]


async def test_stopped_agent_has_its_grace_too(run: RunFixture) -> None:
    process = run.start("trap 'echo tidied; exit 3' TERM; echo up >$READY; kill -STOP $$; sleep 1000")
    await run.said()
    await run.end(process)
    assert (run.folder / "stdout").read_text() == "tidied\n"


async def test_process_born_in_answer_to_term_dies_too(run: RunFixture) -> None:
    born = run.folder / "born"
    answer = f"setsid sleep 1000 >/dev/null 2>&1 & echo $! >{born}; exit"
    process = run.start(f"trap '{answer}' TERM; {WORK}")
    await run.said()
    await run.end(process, grace=0.5)
    assert not is_alive(int(born.read_text()))


async def test_one_that_restarts_its_children_dies(run: RunFixture) -> None:
    (run.worktree / "phoenix.sh").write_text(
        'trap "" TERM\nif [ "$1" ]; then echo $$ >$READY; fi\nwhile :; do setsid sleep 1000 & wait $!; done\n'
    )
    process = run.start("sh phoenix.sh tell")
    (pid,) = await run.said()
    assert await run.end(process, grace=0) == ()
    assert not is_alive(int(pid))
    assert not [entry for entry in read_table(run.mark).values() if entry.marked]


async def test_killed_supervisor_leaves_no_status(run: RunFixture) -> None:
    process = run.start("echo $$ >$READY; exec sleep 1000")
    (pid,) = await run.said()
    os.kill(process.pid, signal.SIGKILL)
    assert await wait(process, run.folder) is None
    await run.end(process)
    assert not is_alive(int(pid))


@pytest.mark.parametrize(("text", "status"), [("0\n", 0), ("13", None), ("", None), ("x\n", None), ("-1\n", None)])
def test_record_that_is_not_whole(tmp_path: Path, text: str, status: int | None) -> None:
    (tmp_path / "exit").write_text(text)
    assert read_exit(tmp_path) == status


async def test_one_that_was_never_noted_is_found_again(run: RunFixture) -> None:
    process = run.start_from_another_daemon("echo up >$READY; exec sleep 1000")
    await run.said()
    assert find_orphan(run.folder, run.mark) == process
    assert find_orphan(run.folder, {**run.mark, "MUX_RUN": "k3f-2"}) is None, "the number is a stranger's by now"
    await run.end(process, grace=0)
    found = find_orphan(run.folder, run.mark)
    assert found is not None
    assert not is_there(found)
    assert await wait(found, run.folder) == 143
    clear_records(run.folder)
    assert find_orphan(run.folder, run.mark) is None


async def test_both_ways_to_read_the_process_table_agree(run: RunFixture) -> None:
    process = run.start("echo up >$READY; exec sleep 1000")
    await run.said()
    ours, portable = read_table(run.mark), read_with_psutil(run.mark)
    assert {pid for pid, entry in ours.items() if entry.marked} == {
        pid for pid, entry in portable.items() if entry.marked
    }
    assert ours[process.pid] == portable[process.pid]
