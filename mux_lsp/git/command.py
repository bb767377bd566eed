"""Run git through GitPython's command layer, with an argument list and a controlled environment.

GitPython describes itself as unsuitable for long-running processes because of its object database, so only
`git.cmd.Git` is used. Importing it runs `git version` and takes 100 ms, so functions import it when they need it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
from tempfile import TemporaryFile, gettempdir
from typing import TYPE_CHECKING

from mux_lsp import descriptors, storage
from mux_lsp.errors import GitError, GitStorageError, MuxError, StorageError
from mux_lsp.faults import fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from git.cmd import Git

OLDEST_GIT = (2, 36)
"""The oldest git that supports what we use (`GIT_CONFIG_GLOBAL`, `ls-files --sparse`, `ls-tree --format`)."""

KEPT_VARIABLES = frozenset(
    {
        "GIT_EXEC_PATH",  # location of a portable git's own programs
        "GIT_CONFIG_GLOBAL",  # the next three locate the person's configuration, which the person's git reads too
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CEILING_DIRECTORIES",  # the next two bound the person's search for a repository
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_SSL_CAINFO",  # many machines set these two for all programs; they do not concern repositories
        "GIT_SSL_CAPATH",
    }
)
"""The inherited `GIT_*` variables that are kept.

All others are dropped: an editor that was started by a hook, by `git commit` or by `git rebase --exec` has GIT_DIR,
GIT_INDEX_FILE and others set, and every git that we run would use that repository and write that index instead of ours.
"""

HARDENING = (
    "--no-replace-objects",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "protocol.allow=never",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "core.fsync=none",
)  # fmt: skip
"""Options before every command: no hooks, file monitor, network, housekeeping or replaced objects.

They override every configuration file.

Nothing is fsynced: on a journalling file system that would first write out the checkouts that run at the same time
(measured: 38 s instead of 7 s on a slow disk). A killed daemon loses nothing; a power failure may lose the last
seconds, as with git's own loose objects.
"""

ENVIRONMENT = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
}

ISOLATED = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
}
"""Variables for our own git directories, so that the person's configuration (filters, signing) does not affect them."""

OWNER = "MUX_DAEMON"
"""The variable that identifies a git process that outlives its daemon."""

WRITES = frozenset(
    {
        "clean", "commit-tree", "fast-import", "gc", "hash-object", "init", "merge-tree", "pack-objects", "read-tree",
        "restore", "update-index", "update-ref", "write-tree",
    }
)  # fmt: skip
"""The commands that change a store, an index, a ref or a worktree.

Each has crash points for tests, before and after it.
"""

MAX_PARALLEL = 256
"""Maximum number of git processes at a time. It is lower if the system allows few open files, since each has pipes."""

_version_lock = threading.Lock()
_version_checked = threading.Event()


def git(  # noqa: PLR0913 - each names one part of the invocation
    arguments: Sequence[str],
    *,
    folder: Path,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    index: Path | None = None,
    extra_environment: Mapping[str, str] | None = None,
    input: bytes | None = None,
    ok: Collection[int] = (0,),
    warnings: list[str] | None = None,
) -> bytes:
    """Run git in `folder` and return its standard output. `input` is its standard input (empty by default).

    The error output of a command that succeeds is appended to `warnings`.

    Raises GitError with git's last lines of error output if the exit status is not in `ok`.
    """
    runner = _runner(folder)
    environment = _environment(git_dir, work_tree, index, extra_environment)
    command = subcommand(arguments)
    if command in WRITES:
        fault(f"git.{command}.begins")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_few())
        stream = None
        if input is not None:
            with _explained(gettempdir()):
                stream = stack.enter_context(TemporaryFile())
                stream.write(input)
                stream.seek(0)
        with _explained(os.fspath(folder)):
            status, output, errors = runner.execute(
                command_line(arguments, environment),
                istream=stream,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                env=environment,
            )
    if status not in ok:
        raise failure(arguments, folder, status, errors, environment)
    if warnings is not None and errors:
        warnings.append(errors)
    if command in WRITES:
        fault(f"git.{command}.done")
    return output


def own(owner: str) -> dict[str, str]:
    """Mark every git that is started from now on as this owner's. Return the mark, as environment variables."""
    ENVIRONMENT[OWNER] = owner
    return {OWNER: owner}


def status_of(
    arguments: Sequence[str], *, folder: Path, extra_environment: Mapping[str, str] | None = None
) -> tuple[int, bytes, str]:
    """Run git in `folder` and return its exit status, output and error text, for callers that distinguish failures."""
    environment = _environment(None, None, None, extra_environment)
    return _runner(folder).execute(
        command_line(arguments, environment),
        with_extended_output=True,
        with_exceptions=False,
        stdout_as_string=False,
        strip_newline_in_stdout=False,
        env=environment,
    )


def start(
    arguments: Sequence[str], *, folder: Path, git_dir: Path, extra_environment: Mapping[str, str] | None = None
) -> Git.AutoInterrupt:
    """Start git in a directory of our own, with pipes as its input and output. It ends with the returned object."""
    from subprocess import PIPE

    environment = _environment(git_dir, None, None, {**ISOLATED, **(extra_environment or {})})
    return _runner(folder).execute(command_line(arguments, environment), istream=PIPE, as_process=True, env=environment)


def command_line(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the command line.

    GitPython cannot remove variables from the environment, so `env -u` drops inherited ones.
    """
    # Paths are paths, never patterns. Only `check-ignore` does not know the option (and takes no patterns).
    literal = [] if arguments[0] == "check-ignore" else ["--literal-pathspecs"]
    dropped = [
        word
        for name in os.environ
        if name.startswith("GIT_") and name not in KEPT_VARIABLES and name not in environment
        for word in ("-u", name)
    ]
    return [*(["env", *dropped] if dropped else []), "git", *HARDENING, *literal, *arguments]


def subcommand(arguments: Sequence[str]) -> str:
    """Return git's subcommand, which follows the options `-c NAME=VALUE`."""
    at = 0
    while arguments[at] == "-c":
        at += 2
    return arguments[at]


def failure_message(arguments: Sequence[str], folder: Path, status: int, errors: str) -> str:
    """Return one sentence about a failed command: the subcommand, its folder, and its last lines of error output."""
    lines = [re.sub(r"^(fatal|error): ", "", line.strip()) for line in errors.splitlines() if line.strip()]
    words = "; ".join(lines[-3:]) or f"it ended with status {status} and said nothing"
    words_only = (word for word in arguments if not word.startswith("-") and "=" not in word)
    asked = next(words_only, "")
    return f"git {asked} failed in {folder}: {words}"


def failure(
    arguments: Sequence[str], folder: Path, status: int, errors: str, environment: Mapping[str, str]
) -> GitError:
    """Return the error for a failed command. A storage error names the disk that git writes to."""
    place = environment.get("GIT_OBJECT_DIRECTORY") or environment.get("GIT_DIR") or os.fspath(folder)
    message = failure_message(arguments, folder, status, errors)
    refusal = storage.in_words_of(errors, place)
    return GitError(message) if refusal is None else GitStorageError(f"{storage.sentence(refusal, place)} ({message})")


@contextlib.contextmanager
def _explained(place: str) -> Iterator[None]:
    try:
        with storage.explain_words(place):
            yield
    except StorageError as error:
        raise GitStorageError(str(error)) from error


def alternates_variable(folders: Collection[Path]) -> dict[str, str]:
    """Return the variable that lets git read objects from `folders` too. They are quoted, since `:` separates them."""
    if not folders:
        return {}
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join(quoted(os.fspath(folder)) for folder in folders)}


def quoted(text: str) -> str:
    """Quote `text` as git expects paths with special characters."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _environment(
    git_dir: Path | None, work_tree: Path | None, index: Path | None, extra: Mapping[str, str] | None
) -> dict[str, str]:
    environment = dict(ENVIRONMENT)
    for name, value in (("GIT_DIR", git_dir), ("GIT_WORK_TREE", work_tree), ("GIT_INDEX_FILE", index)):
        if value is not None:
            environment[name] = os.fspath(value)
    environment.update(extra or {})
    return environment


def _runner(folder: Path) -> Git:
    if not _version_checked.is_set():
        # One thread imports GitPython: other threads would see a partly initialized module.
        with _version_lock:
            if not _version_checked.is_set():
                _check_version()
    from git.cmd import Git

    if not folder.is_dir():
        raise MuxError(f"The folder {folder} does not exist.")
    return Git(folder)


@functools.cache
def _few() -> threading.BoundedSemaphore:
    # Not at import: the daemon raises its limit first.
    return threading.BoundedSemaphore(descriptors.at_once(descriptors.GIT, MAX_PARALLEL))


def _check_version() -> None:
    try:
        from git.cmd import Git
        from git.exc import GitCommandNotFound
    except ImportError as error:
        raise GitError(_missing()) from error
    try:
        version = Git().version_info
    except GitCommandNotFound as error:
        raise GitError(_missing()) from error
    if version[:2] < OLDEST_GIT:
        found = ".".join(map(str, version))
        raise GitError(f"git {found} is too old for mux-lsp: install git {_oldest()} or newer.")
    _version_checked.set()


def _missing() -> str:
    return f"git was not found on PATH: install git {_oldest()} or newer."


def _oldest() -> str:
    return ".".join(map(str, OLDEST_GIT))
