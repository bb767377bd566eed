"""Read a working tree through our own git directory and index, for snapshots and results.

**Nothing in the working tree decides what runs here.** The git directory, its configuration and the index are ours; the
git directories, configurations, hooks and filters of the person and of agents are never read. Line ends, filters,
`ident` and encodings are off, so that objects have the bytes on disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mux_lsp import atomic
from mux_lsp.core.model import LeftOut
from mux_lsp.errors import GitStorageError
from mux_lsp.git import leftovers, parse, path_rules
from mux_lsp.git.command import ISOLATED, alternates_variable, git, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from mux_lsp.errors import GitError
    from mux_lsp.git.repository import GitSettings, Repository

RAW_ATTRIBUTES = b"* -text -eol -crlf -filter -ident -working-tree-encoding\n"
"""Content of `info/attributes`, which overrides every .gitattributes: objects have the bytes on disk."""

ALLOCATED = "512m"
"""Maximum size of one allocation by git: it reads a .gitignore whole, which may be larger than the memory."""

NULL = "0" * 40
TICK_NANOSECONDS = 20_000_000
"""Nanoseconds. Maximum time for which the clock of file times stays the same."""
MAX_ATTEMPTS = 3
"""Maximum number of times a working tree is read again because files changed during the reading."""

GIT_POOL = ThreadPoolExecutor(max_workers=16, thread_name_prefix="mux-git")
"""Threads that run git processes in parallel. A job must never wait for another one."""


@dataclass(frozen=True, slots=True)
class GitView:
    """A working tree together with our own git directory for it. Objects are written to `objects`.

    `alternates` are read as well. **Nothing that writes objects may run with the person's folders there**: git sets the
    time of an object that it finds instead of writing it, and that would be a change in the person's repository.
    """

    git_dir: Path
    work_tree: Path
    objects: Path
    alternates: tuple[Path, ...] = ()

    @property
    def index(self) -> Path:
        """Our index of the working tree."""
        return self.git_dir / "index"

    def git(  # noqa: PLR0913 - as `command.git`
        self,
        arguments: Sequence[str],
        *,
        input: bytes | None = None,
        ok: Collection[int] = (0,),
        index: Path | None = None,
        write_index: bool = False,
        warnings: list[str] | None = None,
    ) -> bytes:
        """Run git on this view (or with another index file). With `write_index`, it may refresh the index.

        See `command.git`.
        """
        environment = {
            **ISOLATED,
            "GIT_OPTIONAL_LOCKS": str(int(write_index)),
            "GIT_OBJECT_DIRECTORY": os.fspath(self.objects),
            "GIT_ALLOC_LIMIT": ALLOCATED,
            **alternates_variable(self.alternates),
        }
        with leftovers.cleanup_after_failure(self.objects):
            return git(
                arguments,
                folder=self.work_tree,
                git_dir=self.git_dir,
                work_tree=self.work_tree,
                index=index or self.index,
                extra_environment=environment,
                input=input,
                ok=ok,
                warnings=warnings,
            )


@dataclass(slots=True)
class Reading:
    """The differences between a working tree and our index of it."""

    changed: list[tuple[str, str]]
    """(status letter, path) of entries whose file differs from the index."""
    others: list[str]
    """Files that are neither in the index nor ignored. A path that ends in `/` is a nested repository."""
    begun: int
    """Start of the reading in nanoseconds, as `time.time_ns`."""
    ignored: list[str] = field(default_factory=list)
    """Ignored files and folders, if one process read the whole tree. Folders end in `/`."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Folders that could not be read, and the reasons, if one process read the whole tree."""


@dataclass(slots=True)
class IndexUpdate:
    """Changes to apply to the index: paths to add, to remove, and to leave out with the reason."""

    add: set[str] = field(default_factory=set)
    remove: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)

    def leave_out(self, path: str, reason: str) -> None:
        """Keep `path` as it is in the index, for `reason`."""
        self.left_out[path] = reason

    def reasons(self) -> tuple[LeftOut, ...]:
        """Return the paths that are left out, sorted, with the reasons."""
        return tuple(LeftOut(path, reason) for path, reason in sorted(self.left_out.items()))


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file unless it already has this content."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, content)


def write_git_dir(git_dir: Path, files: Mapping[str, bytes], head: str | None) -> None:
    """Create a git directory with these files; existing files that are not named stay.

    `head` is the commit of its HEAD, or None.
    """
    for name in ("objects", "refs", "info"):
        (git_dir / name).mkdir(parents=True, exist_ok=True)
    write_if_changed(git_dir / "HEAD", f"{head or 'ref: refs/heads/main'}\n".encode())
    for name, content in files.items():
        write_if_changed(git_dir / name, content)


def view_files(repository: Repository, settings: GitSettings, exclude: bytes = b"") -> dict[str, bytes]:
    """Return the files with which a git directory sees a working tree as the person's settings do, but unconverted."""
    files = {
        "config": configuration(repository, settings),
        "info/attributes": RAW_ATTRIBUTES,
        "info/exclude": _read(repository.common_dir / "info" / "exclude") + exclude,
    }
    if settings.sparse:
        files["info/sparse-checkout"] = _read(repository.git_dir / "info" / "sparse-checkout")
    return files


def configuration(repository: Repository, settings: GitSettings, extra: Iterable[str] = ()) -> bytes:
    """Return the git configuration of a directory of ours. `extra` are further lines, with their section headings."""
    lines = [
        "[core]",
        f"repositoryformatversion = {int(repository.object_format != 'sha1')}",
        "bare = false",
        f"fileMode = {_word(settings.file_mode)}",
        f"symlinks = {_word(settings.values.get('core.symlinks', 'true').lower() != 'false')}",
        f"ignoreCase = {_word(settings.is_on('core.ignorecase'))}",
        f"precomposeUnicode = {_word(settings.is_on('core.precomposeunicode'))}",
        "autocrlf = false",
        "safecrlf = false",
        "attributesFile = /dev/null",
        "hooksPath = /dev/null",
        "fsmonitor = false",
        "splitIndex = false",
        "protectNTFS = true",
        "protectHFS = true",
        "logAllRefUpdates = false",
        f"sparseCheckout = {_word(settings.sparse)}",
        f"sparseCheckoutCone = {_word(settings.is_on('core.sparsecheckoutcone'))}",
    ]
    if settings.excludes_file:
        lines.append(f"excludesFile = {quoted(os.fspath(settings.excludes_file))}")
    lines += ["[index]", "sparse = false", "skipHash = true"]
    if repository.object_format != "sha1":
        lines += ["[extensions]", f"objectFormat = {repository.object_format}"]
    return os.fsencode("\n".join([*lines, *extra, ""]))


def read(view: GitView, paths: Sequence[str] = ()) -> Reading:
    """Compare the working tree (or only `paths` and what is below them) with our index."""
    return start_reading(view, paths)()


def read_with_ignored(view: GitView) -> Reading:
    """Read the whole working tree by one process: less work for the machine, but a longer wait."""
    begun = time.time_ns()
    options = ["--untracked-files=all", "--ignored=matching", "--ignore-submodules=all", "--no-renames"]
    warnings: list[str] = []
    changed, others, ignored = parse.status(view.git(["status", "--porcelain", "-z", *options], warnings=warnings))
    return Reading(changed, others, begun, ignored, parse.unread("".join(warnings)))


def start_reading(view: GitView, paths: Sequence[str] = ()) -> Callable[[], Reading]:
    """Start to read. Call the returned function to wait for the result.

    Two walks run in parallel, without an untracked cache: one walk with the cache is no faster on two cores, and a
    cache that is written between two changes in one tick of the clock hides files.
    """
    begun = time.time_ns()
    changed = GIT_POOL.submit(
        lambda: parse.name_status(
            view.git(["diff-files", "--name-status", "--ignore-submodules=all", "-z", "--no-renames", "--", *paths])
        )
    )
    others = GIT_POOL.submit(
        lambda: parse.fields(view.git(["ls-files", "--others", "--exclude-standard", "-z", "--", *paths]))
    )

    def result() -> Reading:
        # Wait for both before one may raise: neither may read a tree that the caller has released.
        for one in (changed, others):
            one.exception()
        return Reading(changed.result(), others.result(), begun)

    return result


def backdate_index(index: Path, begun: int) -> None:
    """Set the time of our index to the start of the reading (nanoseconds, as `time.time_ns`).

    git trusts the recorded state of a file or folder that is older than the index, and checks all others. An index that
    is written a moment after the reading would hide a change made meanwhile in the same tick.
    """
    with contextlib.suppress(FileNotFoundError):
        moment = min(begun - TICK_NANOSECONDS, index.stat().st_mtime_ns)
        os.utime(index, ns=(moment, moment))


def classify(
    view: GitView, update: IndexUpdate, reading: Reading, limit: int, limited: Collection[str] | None = None
) -> None:
    """Decide for each path that was read whether to add, remove or leave it out.

    Files larger than `limit` bytes are left out: new ones, and changed entries that are in `limited` (None: all).
    """
    for status, path in reading.changed:
        if status == "D":
            _classify_missing(view, update, path)
        else:
            classify_path(view, update, path, limit if limited is None or path in limited else None)
    for path in reading.others:
        classify_path(view, update, path, limit)


def _classify_missing(view: GitView, update: IndexUpdate, path: str) -> None:
    """Remove a path from the index unless it is only unreadable: git takes a file in a locked folder for deleted."""
    try:
        os.lstat(view.work_tree / path)
    except PermissionError:
        update.leave_out(path, "cannot be read (its permissions forbid it)")
    except OSError:
        update.remove.add(path)
    else:
        update.remove.add(path)


def classify_path(view: GitView, update: IndexUpdate, path: str, limit: int | None) -> None:
    """Decide about one path, by what is there now."""
    try:
        status = os.lstat(view.work_tree / path)
    except OSError:
        update.remove.add(path)
        return
    reason = path_rules.refusal(path, symlink=stat.S_ISLNK(status.st_mode))
    if reason is None and stat.S_ISREG(status.st_mode):
        if limit is not None and status.st_size > limit:
            reason = too_large(status.st_size, limit)
        elif not os.access(view.work_tree / path, os.R_OK):
            reason = "cannot be read (its permissions forbid it)"
    elif reason is None and stat.S_ISDIR(status.st_mode):
        update.remove.add(path)
        return
    elif reason is None and not stat.S_ISLNK(status.st_mode):
        reason = "is not a file (a pipe, a socket or a device)"
    if reason is None:
        update.add.add(path)
    else:
        update.leave_out(path, reason)


def too_large(size: int, limit: int) -> str:
    """Return the reason for which a file of `size` bytes is left out, with a limit of `limit` bytes."""
    return f"is larger than {limit // 1_000_000} MB ({size / 1_000_000:.0f} MB)"


def apply(view: GitView, update: IndexUpdate) -> None:
    """Apply the classified changes to the index, and write the objects.

    Raises GitError if files changed meanwhile; the caller then reads again.
    """
    if update.remove:
        view.git(["update-index", "--force-remove", "-z", "--stdin"], input=parse.joined(sorted(update.remove)))
    if update.add:
        view.git(
            ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], input=parse.joined(sorted(update.add))
        )


def ignored(view: GitView, paths: Sequence[str]) -> set[str]:
    """Return the paths that the rules ignore, in the index or not. Raises GitError for a path behind a link."""
    if not paths:
        return set()
    # `./` prevents a name that begins with `:` from being read as pathspec magic.
    asked = parse.joined([f"./{path}" for path in paths])
    answer = view.git(["check-ignore", "-z", "--stdin", "--no-index"], input=asked, ok=(0, 1))
    return {path.removeprefix("./") for path in parse.fields(answer)}


def unprocessable(error: GitError, update: IndexUpdate) -> str | None:
    """Return the path that git could not process, if the error names one.

    Raises the error if it is a storage error, since that does not concern the path, which must not be left out.
    """
    if isinstance(error, GitStorageError):
        raise error
    _, found, rest = str(error).partition("Unable to process path ")
    return next((path for path in update.add if path == rest), None) if found else None


def write_tree(view: GitView, index: Path | None = None, options: Sequence[str] = ()) -> str:
    """Write the index as a tree and return its name. `options` are those of `git write-tree`.

    The index keeps its time.
    """
    file = index or view.index
    try:
        moment = file.stat().st_mtime_ns
    except FileNotFoundError:
        moment = None
    tree = view.git(["write-tree", *options], index=index).decode().strip()
    if moment is not None:  # git has written the names of the trees into it
        os.utime(file, ns=(moment, moment))
    return tree


def copy_index(source: Path, target: Path) -> None:
    """Copy an index file with its time, by which git distinguishes entries changed in the same tick from older ones."""
    with atomic.replacing(target, point="index") as new:
        shutil.copy2(source, new)


def copy_own_index(source: Path, target: Path, object_format: str) -> None:
    """Copy an index of ours for others, with its time, and with the checksum that ours lack.

    git needs tens of milliseconds to hash an index of 50,000 entries, and reads it without the checksum; other programs
    may not.
    """
    content = source.read_bytes()
    length = hashlib.new(object_format, usedforsecurity=False).digest_size
    body = memoryview(content)[:-length]
    status = source.stat()
    with target.open("wb") as file:
        file.write(body)
        file.write(hashlib.new(object_format, body, usedforsecurity=False).digest())
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def clear_locks(git_dir: Path) -> None:
    """Remove an index lock and partial files of a killed daemon. No process may be writing there."""
    leftovers.remove_unfinished_files(git_dir)
    leftovers.remove_unfinished_files(git_dir / "info")


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    return content if content.endswith(b"\n") or not content else content + b"\n"


def _word(value: bool) -> str:
    return "true" if value else "false"
