"""Create the bare repository of a shadow store, and fill it with the person's objects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mux_lsp import atomic
from mux_lsp.errors import GitError
from mux_lsp.git import leftovers
from mux_lsp.git.command import ISOLATED, alternates_variable, git
from mux_lsp.git.view import RAW_ATTRIBUTES, write_if_changed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from mux_lsp.git.repository import Repository

IDENTITY = ("mux-lsp", "mux-lsp@localhost")
"""Name and address of the author of commits in the store."""


def message(repository: Repository) -> str:
    """Return the message of a snapshot's commit."""
    return f"Snapshot of {repository.root.name}\n\nThe working tree as its person saw it, unsaved buffers included."


def run(
    git_dir: Path,
    arguments: Sequence[str],
    *,
    input: bytes | None = None,
    ok: Collection[int] = (0,),
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Run git on the store itself."""
    extra = {**ISOLATED, **(environment or {})}
    with leftovers.cleanup_after_failure(git_dir / "objects"):
        return git(arguments, folder=git_dir, git_dir=git_dir, extra_environment=extra, input=input, ok=ok)


def make(git_dir: Path, repository: Repository) -> None:
    """Create the store if it does not exist. Raises GitError."""
    folder = git_dir.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (git_dir / "HEAD").exists():
        init(git_dir, repository)
    object_format = run(git_dir, ["rev-parse", "--show-object-format"]).decode().strip()
    if object_format != repository.object_format:
        raise GitError(
            f"{repository.root} uses {repository.object_format} objects, but mux-lsp knows it with "
            f"{object_format}: remove {folder} and try again (its snapshots and results go with it)."
        )
    (git_dir / "info").mkdir(exist_ok=True)
    write_if_changed(git_dir / "info" / "attributes", RAW_ATTRIBUTES)


def init(git_dir: Path, repository: Repository) -> None:
    """Create a bare repository, or its missing parts. Existing parts stay."""
    made_as = ["--quiet", "--bare", "--template=", "--initial-branch=main"]
    made_as.append(f"--object-format={repository.object_format}")
    git(["init", *made_as, os.fspath(git_dir)], folder=git_dir.parent, extra_environment=ISOLATED)
    git_dir.chmod(0o700)


def clear_locks(git_dir: Path) -> None:
    """Remove the locks and partial files of killed processes.

    Call it before any process works in the store: later, a lock may be in use.
    """
    for lock in (git_dir / "refs").rglob("*.lock"):
        lock.unlink(missing_ok=True)
    leftovers.remove_unfinished_files(git_dir)
    leftovers.remove_temporary_files(git_dir / "objects")


def pack(git_dir: Path, wanted: Sequence[str], environment: Mapping[str, str]) -> None:
    """Pack the objects that these commits reach. It is fast, since compressed data is copied as it is."""
    _pack(git_dir, ["--revs", "--window=0", "--threads=2"], _lines(wanted), environment)


def pack_trees(git_dir: Path, wanted: Sequence[str], borrowed: Sequence[Path]) -> None:
    """Copy commits and trees without their files, so that an index can be written as a tree."""
    if not wanted:
        return
    environment = alternates_variable(borrowed)
    listing = ["rev-list", "--objects", "--no-object-names", "--filter=blob:none", "--stdin"]
    names = run(git_dir, listing, input=_lines(wanted), environment=environment)
    _pack(git_dir, ["--window=0"], names, environment)


def pack_names(git_dir: Path, names: bytes, environment: Mapping[str, str]) -> None:
    """Copy objects by name, one per line."""
    _pack(git_dir, ["--window=0"], names, environment)


def add_shallow(git_dir: Path, head: str) -> None:
    """Cut history at `head`: agents see one commit of context, and the store holds no more."""
    file = git_dir / "shallow"
    lines = file.read_text().split() if file.exists() else []
    if head not in lines:
        atomic.write(file, "".join(f"{line}\n" for line in [*lines, head]).encode())


def _pack(git_dir: Path, options: Sequence[str], names: bytes, environment: Mapping[str, str]) -> None:
    (git_dir / "objects" / "pack").mkdir(parents=True, exist_ok=True)
    arguments = ["pack-objects", *options, "--compression=1", "--delta-base-offset", "--quiet"]
    prefix = os.fspath(git_dir / "objects" / "pack" / "pack")
    run(git_dir, [*arguments, prefix], input=names, environment=environment)


def _lines(words: Sequence[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
