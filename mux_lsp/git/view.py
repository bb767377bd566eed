"""A working tree seen by a git directory and an index of our own: how snapshots and results are both taken.

**Nothing in the working tree decides what runs here.** The git directory, its configuration and the index are ours; the
person's and the agent's git directories, configurations, hooks and filters are never read. Line ends, filters, `ident`
and encodings are off, so an object holds the bytes that are on disk.
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
    from mux_lsp.git.repository import Repository, Settings

RAW_ATTRIBUTES = b"* -text -eol -crlf -filter -ident -working-tree-encoding\n"
"""Stand in `info/attributes`, which wins over every .gitattributes: objects hold the bytes that are on disk."""

ALLOCATED = "512m"
"""The most memory that git takes in one piece: it reads a .gitignore whole, which may be larger than all memory."""

NULL = "0" * 40
TICK = 20_000_000
"""Nanoseconds. The clock that files get their times from stands still for as long as this."""
ATTEMPTS = 3
"""How often a working tree is read again when files change under the reading."""

GIT_POOL = ThreadPoolExecutor(max_workers=16, thread_name_prefix="mux-git")
"""Runs git processes side by side. A job in it never waits for another one."""


@dataclass(frozen=True, slots=True)
class View:
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
        """Run git on this view (or with another index file). `write_index`: it may refresh it. See `command.git`."""
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
    """What differs between a working tree and our index of it."""

    changed: list[tuple[str, str]]
    """(status letter, path): entries whose file is not as the index remembers it."""
    others: list[str]
    """Files that are neither in the index nor ignored. A path that ends in `/` is a repository inside this one."""
    begun: int
    """When the reading began, in nanoseconds as `time.time_ns`."""
    ignored: list[str] = field(default_factory=list)
    """Files and folders that a rule ignores, where all of a tree was read by one process. Folders end in `/`."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Folders that could not be read, and why, where all of a tree was read by one process."""


@dataclass(slots=True)
class IndexUpdate:
    """Paths to bring into the index, sorted by what to do with each."""

    add: set[str] = field(default_factory=set)
    remove: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)

    def leave_out(self, path: str, reason: str) -> None:
        """Keep `path` as the index has it, and say why."""
        self.left_out[path] = reason

    def reasons(self) -> tuple[LeftOut, ...]:
        """What was left out, by path."""
        return tuple(LeftOut(path, reason) for path, reason in sorted(self.left_out.items()))


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file of ours unless it already reads so."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, content)


def write_git_dir(git_dir: Path, files: Mapping[str, bytes], head: str | None) -> None:
    """Make `git_dir` a git directory with these files in it; files that are there already and not named stay.

    `head`: the commit that its HEAD is, None for none.
    """
    for name in ("objects", "refs", "info"):
        (git_dir / name).mkdir(parents=True, exist_ok=True)
    write_if_changed(git_dir / "HEAD", f"{head or 'ref: refs/heads/main'}\n".encode())
    for name, content in files.items():
        write_if_changed(git_dir / name, content)


def view_files(repository: Repository, settings: Settings, exclude: bytes = b"") -> dict[str, bytes]:
    """The files that make a git directory see a working tree as the person's settings do, and raw."""
    files = {
        "config": configuration(repository, settings),
        "info/attributes": RAW_ATTRIBUTES,
        "info/exclude": _read(repository.common_dir / "info" / "exclude") + exclude,
    }
    if settings.sparse:
        files["info/sparse-checkout"] = _read(repository.git_dir / "info" / "sparse-checkout")
    return files


def configuration(repository: Repository, settings: Settings, extra: Iterable[str] = ()) -> bytes:
    """A git configuration for a directory of ours. `extra` are more lines, with their section headings."""
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


def read(view: View, paths: Sequence[str] = ()) -> Reading:
    """Compare the working tree (or only `paths` and what is below them) with our index."""
    return start_reading(view, paths)()


def read_with_ignored(view: View) -> Reading:
    """The same of all of the working tree, by one process: less work for the machine, and a longer wait for us."""
    begun = time.time_ns()
    options = ["--untracked-files=all", "--ignored=matching", "--ignore-submodules=all", "--no-renames"]
    warnings: list[str] = []
    changed, others, ignored = parse.status(view.git(["status", "--porcelain", "-z", *options], warnings=warnings))
    return Reading(changed, others, begun, ignored, parse.unread("".join(warnings)))


def start_reading(view: View, paths: Sequence[str] = ()) -> Callable[[], Reading]:
    """Begin to read; what is returned waits for the end.

    Two walks side by side, and no untracked cache: one walk with it is no quicker on two cores, and a cache that is
    written between two changes in one tick of the clock hides files.
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
        # Both have ended before one of them may fail: neither reads a tree that its caller has let go.
        for one in (changed, others):
            one.exception()
        return Reading(changed.result(), others.result(), begun)

    return result


def backdate_index(index: Path, begun: int) -> None:
    """Give our index the time when the reading of the tree began (nanoseconds, as `time.time_ns`).

    git trusts the recorded state of a file or folder that is older than the index, and looks closer at all others. An
    index that is written a moment after the reading would vouch for what changed meanwhile in the same tick.
    """
    with contextlib.suppress(FileNotFoundError):
        moment = min(begun - TICK, index.stat().st_mtime_ns)
        os.utime(index, ns=(moment, moment))


def classify(
    view: View, update: IndexUpdate, reading: Reading, limit: int, limited: Collection[str] | None = None
) -> None:
    """Decide for each path that was read what becomes of it.

    Files larger than `limit` bytes are left out: new ones, and of the changed entries those in `limited` (None: all).
    """
    for status, path in reading.changed:
        if status == "D":
            _classify_missing(view, update, path)
        else:
            classify_path(view, update, path, limit if limited is None or path in limited else None)
    for path in reading.others:
        classify_path(view, update, path, limit)


def _classify_missing(view: View, update: IndexUpdate, path: str) -> None:
    """Remove a path from the index, unless it is only out of sight: git takes a file in a locked folder for deleted."""
    try:
        os.lstat(view.work_tree / path)
    except PermissionError:
        update.leave_out(path, "cannot be read (its permissions forbid it)")
    except OSError:
        update.remove.add(path)
    else:
        update.remove.add(path)


def classify_path(view: View, update: IndexUpdate, path: str, limit: int | None) -> None:
    """Decide what becomes of one path, from what stands there now."""
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
    """Why a file of so many bytes is left out, where so many are allowed."""
    return f"is larger than {limit // 1_000_000} MB ({size / 1_000_000:.0f} MB)"


def apply(view: View, update: IndexUpdate) -> None:
    """Bring the index up to date with what was sorted out. Objects are written.

    Raises GitError when files changed under our hands; the caller reads again then.
    """
    if update.remove:
        view.git(["update-index", "--force-remove", "-z", "--stdin"], input=parse.joined(sorted(update.remove)))
    if update.add:
        view.git(
            ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], input=parse.joined(sorted(update.add))
        )


def ignored(view: View, paths: Sequence[str]) -> set[str]:
    """Those of `paths` that the rules ignore, in the index or not. Raises GitError for a path behind a link."""
    if not paths:
        return set()
    # `./` keeps a name that begins with `:` from being read as pathspec magic.
    asked = parse.joined([f"./{path}" for path in paths])
    answer = view.git(["check-ignore", "-z", "--stdin", "--no-index"], input=asked, ok=(0, 1))
    return {path.removeprefix("./") for path in parse.fields(answer)}


def unprocessable(error: GitError, update: IndexUpdate) -> str | None:
    """The path that git could not take, if that is what the error is about.

    Raises the error where it is one of the disk: then it is none of the path, which must not be left out for it.
    """
    if isinstance(error, GitStorageError):
        raise error
    _, found, rest = str(error).partition("Unable to process path ")
    return next((path for path in update.add if path == rest), None) if found else None


def write_tree(view: View, index: Path | None = None, options: Sequence[str] = ()) -> str:
    """Write the index as a tree and return its name. `options` are `git write-tree`'s. The index keeps its time."""
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
    """Copy an index file with its time, by which git tells entries that changed in the same tick from older ones."""
    with atomic.replacing(target, point="index") as new:
        shutil.copy2(source, new)


def copy_own_index(source: Path, target: Path, object_format: str) -> None:
    """Copy an index of ours for others, with its time, and with the checksum that ours do without.

    git takes tens of milliseconds to hash an index of 50,000 entries, and reads it without; other programs may not.
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
    """Remove the lock of an index whose writer was killed, and half files of ours. Only where nobody else writes."""
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
