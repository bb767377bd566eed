"""Test agents that pose as their person: each is refused with a reason, however it has disguised itself.

Each way to pose is a real process under a real daemon. Reused process ids are the exception: they are in
`tests/unit/daemon/test_identify.py`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from mux_lsp.daemon import handshake
from mux_lsp.daemon.client import request_status
from mux_lsp.daemon.dial import read_record
from tests.e2e.cli.terminal import Terminal
from tests.support import posing
from tests.support.home import isolated_home
from tests.support.person import make_repository
from tests.support.signals import Signal, signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.home import IsolatedHome

POSE = shlex.join([sys.executable, "-P", posing.__file__])
MUX = shlex.join([sys.executable, "-P", "-m", "mux_lsp"])
INSTEAD = "run it yourself, in a terminal of your own; nothing was changed."


@dataclass
class Scene:
    """A person with a result that waits for their decision, and an agent that tries to decide."""

    terminal: Terminal
    run: str
    said: Path
    """The file for the outcome of the agent's attempt."""
    script: Path
    go: Signal
    done: Signal

    @property
    def text(self) -> str:
        """The content of the person's file."""
        return (self.terminal.folder / "notes.txt").read_text()

    def pose(self, command: str) -> str:
        """Return a command that waits for a signal, makes this attempt, and signals that it is done."""
        home = shlex.quote(str(self.terminal.home.folder))
        self.script.write_text(
            f"export MUX_LSP_HOME={home} PATH=/usr/local/bin:/usr/bin:/bin\n{self.go.take}\n"
            f"cd {shlex.quote(str(self.terminal.folder))}\n{{ {command}; echo status $?; }} > {self.said} 2>&1\n"
            f"{self.done.give}\n"
        )
        return f"/bin/sh {self.script}"

    def agent(self, command: str) -> tuple[str, str]:
        """Let an agent run it. Return its run and the output in `said`."""
        run = self.terminal.run("Pose", "-a", f"sh:{command}")["runs"][0]
        assert run["state"] == "finished", run
        return run["id"], self.said.read_text()

    def check(self, *sentences: str) -> None:
        """Assert that the attempt was refused in these words, and has changed nothing."""
        said = self.said.read_text()
        for sentence in sentences:
            assert sentence in said
        assert "Traceback" not in said
        assert "LINE" not in self.text
        assert self.terminal.json("show", self.run)["run"]["state"] == "finished"


@pytest.fixture(scope="module")
def home() -> Iterator[IsolatedHome]:
    with isolated_home() as home:
        yield home


@pytest.fixture
def scene(home: IsolatedHome, tmp_path: Path) -> Iterator[Scene]:
    yield from scene_of(home, tmp_path)


def scene_of(home: IsolatedHome, folder: Path) -> Iterator[Scene]:
    root = make_repository(folder / "project", {"notes.txt": "line\n"})
    terminal = Terminal(home, root)
    run = terminal.run("Shout", "-a", "sh:echo LINE > notes.txt")["runs"][0]["id"]
    with signals(folder, "go", "done") as (go, done):
        yield Scene(terminal, run, folder / "said", folder / "pose.sh", go, done)


ALL = f"{MUX} accept {{run}}"

WAYS = {
    "unset": "env -u MUX_RUN -u MUX_WORKTREE {pose} & {go}; {done}",
    "cleared": "env -i {pose} & {go}; {done}",
    "orphan": "(env -u MUX_RUN -u MUX_WORKTREE {pose} &); {go}; {done}",
    "cleared orphan": "(env -i {pose} &); {go}; {done}",
    "double fork": "env -i sh -c '({pose} &) &'; {go}; {done}",
    "new session": "env -i setsid {pose} & {go}; {done}",
    "orphan in a new session": "(env -i setsid {pose} > /dev/null 2>&1 < /dev/null &); {go}; {done}",
    "all of it": f"{POSE} daemonise {{pose}}; {{go}}; {{done}}",
}


@pytest.mark.parametrize("way", WAYS)
def test_an_agent_in_disguise(scene: Scene, way: str) -> None:
    pose = scene.pose(ALL.format(run=scene.run))
    run, _ = scene.agent(WAYS[way].format(pose=pose, go=scene.go.give, done=scene.done.take))
    scene.check(f"Only a person can decide about {scene.run}, and this was started by {run}.", "status 2")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (f"{MUX} reject {{run}}", "Only a person can decide about {run}, and this was started by {starter}."),
        (f"{MUX} pick {{run}}", "Only a person can decide about {run}, and this was started by {starter}."),
        (f"{MUX} discard {{run}}", "Only a person can decide about {run}, and this was started by {starter}."),
        (f"{MUX} cancel {{run}}", "Only a person can decide about {run}, and this was started by {starter}."),
        (f"{MUX} prioritize {{task}} 9", "Only a person can say what goes first, and this was started by {starter}"),
        (f"{MUX} stop", "only a person can end the mux-lsp daemon, and this was started by {starter}"),
        (f"{POSE} serve {{run}}", "Only a person can decide about {run}, and this was started by {starter}."),
        (f"{POSE} copied {{run}}", "Only a person can decide about {run}, and this was started by {starter}."),
    ],
)
def test_whatever_an_agent_in_disguise_asks_for(scene: Scene, command: str, sentence: str) -> None:
    pose = scene.pose(command.format(run=scene.run, task=scene.run.partition("-")[0]))
    run, _ = scene.agent(WAYS["all of it"].format(pose=pose, go=scene.go.give, done=scene.done.take))
    scene.check(sentence.format(run=scene.run, starter=run))


async def test_what_has_outlived_its_run(scene: Scene) -> None:
    """It has lost every mark by which its run could be found, and is identified all the same."""
    scene.terminal.run("Leave", "-a", f"sh:{POSE} daemonise {scene.pose(ALL.format(run=scene.run))}")
    scene.go.happens()
    await scene.done.happened()
    scene.check(f"Only a person can decide about {scene.run}, and this was started by an agent", "status 2")


async def test_an_agent_that_has_outlived_its_daemon(scene: Scene) -> None:
    """The next daemon is not its parent."""
    pose = scene.pose(ALL.format(run=scene.run))
    with signals(scene.script.parent, "begun", "end") as (begun, end):
        agent = f"sh:{POSE} daemonise {pose}; {begun.give}; {end.take}"
        task = scene.terminal.json("run", "--no-wait", "Pose", "-a", agent)["task"]["id"]
        await begun.happened()
        daemon = request_status(scene.terminal.home.paths)["pid"]
        os.kill(daemon, signal.SIGKILL)
        scene.terminal.ok("list")
        assert request_status(scene.terminal.home.paths)["pid"] != daemon
        scene.go.happens()
        await scene.done.happened()
        scene.check(f"Only a person can decide about {scene.run}, and this was started by {task}-1.")
        end.happens()
        scene.terminal("show", task, "-f")


def test_one_that_has_ended_before_it_is_looked_at(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection lives on in another process. The daemon is stopped meanwhile, so that its check comes too late."""
    monkeypatch.setenv("MUX_LSP_HOME", str(scene.terminal.home.folder))
    daemon = request_status(scene.terminal.home.paths)["pid"]
    with posing.new_socket() as sock, sock.makefile("rb") as stream:
        os.kill(daemon, signal.SIGSTOP)
        try:
            command = [sys.executable, "-P", posing.__file__, "connect", str(sock.fileno())]
            subprocess.run(command, pass_fds=(sock.fileno(),), check=True)
            sock.sendall(posing.hello() + posing.acceptance(scene.run))
        finally:
            os.kill(daemon, signal.SIGCONT)
        assert (handshake.parse(stream.readline()) or {})["ok"] is True
        scene.said.write_text(posing.answer(stream))
    scene.check(
        f"Only a person can decide about {scene.run}, and the program that asks had ended before it could be "
        f"looked at: {INSTEAD}"
    )


def test_one_that_connects_and_ends_does_not_stop_the_daemon(scene: Scene) -> None:
    daemon = request_status(scene.terminal.home.paths)["pid"]
    scene.agent(f"echo > {scene.said}; env -i MUX_LSP_HOME={scene.terminal.home.folder} {POSE} comet 40")
    assert request_status(scene.terminal.home.paths)["pid"] == daemon
    assert scene.terminal.home.log.count("ending:") == scene.terminal.home.log.count("ending: SIG")


def test_a_copied_token_is_not_enough(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder could be a program of the person's, except for the key."""
    monkeypatch.setenv("MUX_LSP_HOME", str(scene.terminal.home.folder))
    first = handshake.parse(posing.hello()) or {}
    for key in ("", None, 7, "ünïcode\ud800", first["token"]):
        answer = posing.over_own_connection(scene.run, handshake.line(first | {"person": key}))
        scene.said.write_text(answer)
        scene.check(
            f"Only a person can decide about {scene.run}, and the program that asks has not shown the person's key: "
            f"{INSTEAD}"
        )
    said = handshake.line(first | {"person": None, "want": "stop"})
    with posing.connect(posing.new_socket()) as sock, sock.makefile("rb") as stream:
        sock.sendall(said)
        assert "has not shown the person's key" in stream.readline().decode()
    assert (scene.terminal.home.state / "person.key").stat().st_mode & 0o777 == 0o600
    assert first["person"] not in scene.terminal.home.log + (scene.terminal.home.state / "daemon.json").read_text()
    # With the key, the same program is the person's.
    posing.over_own_connection(scene.run, handshake.line(first))
    assert scene.text == "LINE\n"


@pytest.mark.parametrize("command", ["{mux} accept {run}", "{pose} serve {run}", "{pose} copied {run}"])
def test_over_tcp(tmp_path: Path, command: str) -> None:
    """The kernel reports no process for it; the process is found by its port."""
    with isolated_home() as home:
        over_tcp = home.environment(MUX_LSP_TRANSPORT="tcp")
        subprocess.run(home.command("list"), env=over_tcp, cwd=tmp_path, capture_output=True, check=False)
        assert (read_record(home.paths) or {})["address"].startswith("tcp:")
        for scene in scene_of(home, tmp_path):
            pose = scene.pose(command.format(mux=MUX, pose=POSE, run=scene.run))
            run, _ = scene.agent(WAYS["all of it"].format(pose=pose, go=scene.go.give, done=scene.done.take))
            scene.check(f"Only a person can decide about {scene.run}, and this was started by {run}.")
            scene.terminal.ok("accept", scene.run)
            assert scene.text == "LINE\n"


def test_a_connection_over_tcp_that_two_processes_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with isolated_home() as home:
        over_tcp = home.environment(MUX_LSP_TRANSPORT="tcp")
        subprocess.run(home.command("list"), env=over_tcp, cwd=tmp_path, capture_output=True, check=False)
        monkeypatch.setenv("MUX_LSP_HOME", str(home.folder))
        for scene in scene_of(home, tmp_path):
            with posing.connect(posing.new_socket()) as sock, sock.makefile("rb") as stream:
                holder = ["sh", "-c", f"{scene.done.give}; {scene.go.take}"]
                with subprocess.Popen(holder, pass_fds=(sock.fileno(),)):
                    sock.sendall(posing.hello() + posing.acceptance(scene.run))
                    stream.readline()
                    scene.said.write_text(posing.answer(stream))
                    scene.go.happens()
            scene.check(
                f"Only a person can decide about {scene.run}, and it cannot be told over TCP which program asks: "
                f"{INSTEAD}"
            )


PRETENDED = {
    "by its variable": (["sh", "-c"], {"CLAUDECODE": "1"}, "Claude Code"),
    "by its variable, in a shell that has left it": (["sh", "-c"], {"CODEX_SANDBOX": "seatbelt"}, "Codex"),
    "by its name": (["bash", "-c", 'exec -a claude sh -c "$0; exit \\$?"'], {}, "Claude Code"),
}


@pytest.mark.parametrize("how", PRETENDED)
def test_an_agent_that_the_person_uses_in_a_terminal(scene: Scene, how: str) -> None:
    shell, variables, name = PRETENDED[how]

    def ask(*arguments: str, status: int = 2) -> str:
        unset = " ".join(f"-u {variable}" for variable in variables) if "left" in how else ""
        done = subprocess.run(
            [*shell, f"env {unset} {MUX} {shlex.join(arguments)}; exit $?"],
            cwd=scene.terminal.folder,
            env=scene.terminal.home.environment(**variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done
        return " ".join((done.stdout + done.stderr).split())

    (scene.terminal.folder / "mux.toml").write_text('protected = ["judge/"]\n')
    why = f"this was started by {name}: {INSTEAD}"
    for command in ("accept", "pick", "reject", "discard"):
        assert f"Only a person can decide about {scene.run}, and {why}" in ask(command, scene.run)
    assert f"Only a person can trust a repository, and {why}" in ask("trust", "--yes")
    assert f"only a person can end the mux-lsp daemon, and {why.removesuffix('.')}" in ask("stop", status=1)
    assert "Shout" in ask("list", status=0)
    assert "finished" in ask("run", "Help", "-a", "sh:true", status=0)
    assert scene.text == "line\n"
    scene.terminal.ok("accept", scene.run)
    assert scene.text == "LINE\n"


def test_a_program_of_the_persons_that_an_agent_talks_into_is_the_persons(scene: Scene) -> None:
    """As `security.md` states, only a sandbox keeps an agent from a shell that takes commands from a socket."""
    folder, environment = scene.script.parent, scene.terminal.home.environment()
    pose = scene.pose(ALL.format(run=scene.run))
    tmux = shutil.which("tmux")
    if tmux is not None:
        begin = [tmux, "-S", str(folder / "tmux"), "-f", "/dev/null", "new-session", "-d", "/bin/sh"]
        talk = f"env -u MUX_RUN {tmux} -S {folder / 'tmux'} send-keys '{pose}' Enter"
        subprocess.run(begin, env=environment, check=True, start_new_session=True)
        end = [tmux, "-S", str(folder / "tmux"), "kill-server"]
    else:
        os.mkfifo(folder / "shell")
        shell = subprocess.Popen(["sh", "-c", f"exec sh < {folder / 'shell'}"], env=environment)
        talk = f"echo '{pose}' > {folder / 'shell'}"
        end = ["kill", str(shell.pid)]
    try:
        scene.terminal.run("Talk", "-a", f"sh:{talk}; {scene.go.give}; {scene.done.take}")
    finally:
        subprocess.run(end, check=False, capture_output=True)
    assert scene.text == "LINE\n"
