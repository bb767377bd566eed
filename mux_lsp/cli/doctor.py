"""Check each thing that mux-lsp needs from this machine, and say what to do if it is missing."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mux_lsp import __version__, paths, storage
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_PYTHON = (3, 11)

MIN_WATCHES = 65_536
"""Minimum number of folders that a user may watch on Linux.

A worktree needs one for each folder in it, and editors need their own.
"""

MIN_INSTANCES = 64
"""Minimum number of watchers that a user may have on Linux: each run at work needs one."""

FICLONE = 0x40049409
"""The request number of `ioctl_ficlone(2)`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `remedy` is what to do; a `note` needs no action."""

    name: str
    state: Literal["ok", "note", "bad"]
    detail: str
    remedy: str | None = None


def examine() -> list[Finding]:
    """Run all checks. This starts the daemon, like any other command."""
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("python", _python),
        ("git", _git),
        ("configuration", _configuration),
        ("state folder", _state),
        ("socket", _socket),
        ("daemon", _daemon),
        ("file watching", _watching),
        ("copies", _copies),
    )
    return [_guarded(name, check) for name, check in checks]


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except MuxError as error:
        return Finding(name, "bad", str(error))
    except OSError as error:
        # Its file name is that of a temporary file for the check.
        state = paths.home().state
        refusal = storage.refusal_of(error.errno, state)
        if refusal is not None:
            return Finding(name, "bad", storage.sentence(refusal, state))
        detail = f"{state} cannot be used ({error.strerror or error})"
        return Finding(name, "bad", detail, "See whether the permissions of its folders are wrong.")


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < MIN_PYTHON:
        return Finding("python", "bad", found, "Install mux-lsp with Python 3.11 or newer.")
    return Finding("python", "ok", f"{found}, mux-lsp {__version__}")


def _git() -> Finding:
    from mux_lsp.git.command import git

    version = git(["version"], folder=Path("/")).decode(errors="replace").strip().removeprefix("git version ")
    return Finding("git", "ok", version)


def _configuration() -> Finding:
    from mux_lsp import config

    file = Path(paths.home().config_file)
    configuration = config.load(file)
    if configuration.agents:
        return Finding("configuration", "ok", f"{file}, agents: {', '.join(configuration.agents)}")
    return Finding(
        "configuration", "note", f"no agents in {file}", "Name agents there, or give one as -a 'sh:COMMAND'."
    )


def _state() -> Finding:
    home = paths.home()
    paths.make_private_folder(home.state)
    with tempfile.TemporaryFile(dir=home.state) as file:
        file.write(b"mux-lsp")
    return Finding("state folder", "ok", f"{home.state} is private and can be written; the log is {home.log}")


def _socket() -> Finding:
    return Finding("socket", "ok", paths.socket_path(paths.home().state))


def _daemon() -> Finding:
    from mux_lsp.cli.client import connected

    with connected(Path.home()) as client:
        status = client.execute("mux.status", {})
    answers = f"answers (pid {status['pid']}, mux-lsp {status['version']})"
    if status["notices"]:
        return Finding("daemon", "note", answers, " ".join(status["notices"]))
    return Finding("daemon", "ok", answers)


def _watching() -> Finding:
    if sys.platform != "linux":
        return Finding("file watching", "ok", "this platform sets no limit that matters")
    limits = Path("/proc/sys/fs/inotify")
    watches = int((limits / "max_user_watches").read_text())
    instances = int((limits / "max_user_instances").read_text())
    found = f"{watches} folders, {instances} watchers"
    wanted = []
    if watches < MIN_WATCHES:
        wanted.append("fs.inotify.max_user_watches=524288")
    if instances < MIN_INSTANCES:
        wanted.append("fs.inotify.max_user_instances=512")
    if wanted:
        remedy = f"Results of large repositories may only be seen when a run ends. Run: sudo sysctl {' '.join(wanted)}"
        return Finding("file watching", "bad", found, remedy)
    return Finding("file watching", "ok", found)


def _copies() -> Finding:
    state = paths.home().state
    if sys.platform != "linux":
        return Finding("copies", "note", f"whether {state} can share blocks between copies is not known here")
    if _reflinks(state):
        return Finding("copies", "ok", "the file system shares blocks between copies (reflink)")
    detail = "the file system cannot share blocks between copies (no reflink)"
    return Finding("copies", "note", detail, "What .worktreeinclude lists takes its space once more in each worktree.")


def _reflinks(folder: str) -> bool:
    import fcntl

    with tempfile.NamedTemporaryFile(dir=folder) as source, tempfile.NamedTemporaryFile(dir=folder) as target:
        source.write(os.urandom(4096))
        source.flush()
        try:
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
        except OSError:
            return False
    return True
