"""Read a shadow store: objects, and the differences between commits.

A search for damage starts when something cannot be read: see `StoreReader.try_repair`.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

from mux_lsp.errors import GitError
from mux_lsp.git import parse, store_setup, textdiff
from mux_lsp.git.damage import DamageError, is_damage
from mux_lsp.git.objects import CatFile, read_many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from mux_lsp.core.model import FileChange

FIND_RENAMES = ("-M", "-C", "-l400", "--no-rename-empty")
"""git's options to find renames and copies.

Those with changed content are searched among up to 400 files only, so that a result of any size takes a fraction of a
second; those with the same content are always found. Empty files are ignored, since they say nothing about their
origin.
"""

MAX_COMPARED_BYTES = 16_000_000
"""Maximum size in bytes of files whose lines are compared and counted."""

MAX_INLINE_BLOBS = 16
"""Maximum number of blobs that are read by the shared process.

For more, another one is started, so that no reader waits.
"""

_GONE = "it is damaged or gone, and could not be brought back. Start the task again."


class StoreReader:
    """A reader of the bare repository at `git_dir`. Thread-safe."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir
        self._objects = CatFile(git_dir)

    def try_repair(self, what: str) -> bool:
        """Repair the store because something is missing. Return whether that succeeded. Tried once for each `what`."""
        del what
        return False

    def changed_files_with_stats(self, base: str, result: str) -> tuple[FileChange, ...]:
        """Return how `result` differs from `base` (commits or trees), by path, with renames and copies."""
        if base == result:
            return ()
        return parse.file_changes(
            self._look(["diff-tree", "-r", "-z", *FIND_RENAMES, "--no-ext-diff", "--no-textconv", "--raw", "--numstat",
                      "--no-abbrev", base, result, "--"])
        )  # fmt: skip

    def changed_files(self, base: str, result: str) -> tuple[FileChange, ...]:
        """Return the changes without line counts. No file is opened, so it takes milliseconds."""
        if base == result:
            return ()
        return parse.file_changes(
            self._look(["diff-tree", "-r", "-z", *FIND_RENAMES, "--raw", "--no-abbrev", base, result, "--"])
        )

    def text_diffs(self, base: str, result: str, paths: Collection[str] = ()) -> Iterator[textdiff.TextDiff]:
        """Yield git's diffs of the texts that `result` changes (only of `paths` if given), as git computes them."""
        arguments = ["-c", f"core.bigFileThreshold={MAX_COMPARED_BYTES}", "diff-tree", "-r", *FIND_RENAMES]
        return textdiff.read(self.git_dir, [*arguments, *textdiff.ARGUMENTS, base, result, "--", *paths])

    def read_many(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """Yield the bytes of many blobs in the order of their names; None for a missing one."""
        if len(names) > MAX_INLINE_BLOBS:
            return read_many(self.git_dir, names)
        return (None if found is None else found[1] for found in map(self._object, names))

    def has(self, name: str) -> bool:
        """Return whether a ref or an object of that name exists."""
        return self._object(name) is not None

    def read(self, object_name: str) -> bytes:
        """Return the bytes of a blob. Raises GitError if it does not exist."""
        found = self._object(object_name)
        if found is None and self.try_repair(object_name):
            found = self._object(object_name)
        if found is None or found[0] != "blob":
            raise DamageError(f"The shadow store {self.git_dir} has no file content named {object_name}: {_GONE}")
        return found[1]

    def read_at(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of the file at `path` in `commit`, or None if there is no file.

        A symbolic link contains its target.
        """
        if "\n" in path or path.endswith("\r"):
            # git reads one name per line there, and takes a carriage return at its end as part of the line end.
            output = self._look(["ls-tree", "-z", "--format=%(objectname)", commit, "--", path])
            name = os.fsdecode(output).rstrip("\0")
        else:
            name = f"{commit}:{path}"
        found = self._object(name) if name else None
        return found[1] if found is not None and found[0] == "blob" else None

    def links(self, commit: str) -> dict[str, str]:
        """Return every symbolic link of a commit with its target. The time grows with the number of files."""
        listing = self._look(["ls-tree", "-r", "-z", "--full-tree", commit])
        found = re.findall(rb"(?:\A|\0)120000 blob ([0-9a-f]+)\t([^\0]*)", listing)
        targets = self.read_many([name.decode() for name, _ in found])
        return {os.fsdecode(path): os.fsdecode(target or b"") for (_, path), target in zip(found, targets, strict=True)}

    def patch(self, base: str, result: str, paths: Collection[str] = ()) -> bytes:
        """Return a patch from `base` to `result` (only of `paths` if given) for `git apply`, including binary files."""
        return self._look(
            ["diff-tree", "-r", "-p", "--binary", "--full-index", *FIND_RENAMES, "--no-ext-diff", "--no-textconv",
             "--src-prefix=a/", "--dst-prefix=b/", base, result, "--", *paths]
        )  # fmt: skip

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit. Raises GitError if the store has no such commit."""
        return self._header(commit)[0].removeprefix(b"tree ").decode()

    def parent_of(self, commit: str) -> str | None:
        """Return the first parent of a commit: of a snapshot, the person's HEAD. Raises GitError like `tree_of`."""
        line = self._header(commit)[1]
        return line.removeprefix(b"parent ").decode() if line.startswith(b"parent ") else None

    def _header(self, commit: str) -> list[bytes]:
        found = self._object(f"{commit}^{{commit}}")
        if found is None and self.try_repair(commit):
            found = self._object(f"{commit}^{{commit}}")
        if found is None:
            raise DamageError(f"The shadow store {self.git_dir} has no commit {commit}: {_GONE}")
        return found[1].split(b"\n", 2)

    def merge(self, base: str, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        """Merge commits.

        Return the tree, and the paths in conflict: texts contain markers, other files are those of `ours`.

        Raises GitError if git cannot merge them at all.
        """
        output = self._look(
            ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", f"--merge-base={base}", ours, theirs],
            ok=(0, 1),
        )
        tree, *paths = output.rstrip(b"\0").split(b"\0")
        return tree.decode(), tuple(sorted({os.fsdecode(path) for path in paths if path}))

    def git(
        self,
        arguments: Sequence[str],
        *,
        input: bytes | None = None,
        ok: Collection[int] = (0,),
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run git on the store itself."""
        return store_setup.run(self.git_dir, arguments, input=input, ok=ok, environment=environment)

    def _look(self, arguments: Sequence[str], *, ok: Collection[int] = (0,)) -> bytes:
        """Run a git command that only reads.

        Raises DamageError if an object is damaged or missing and cannot be repaired.
        """
        try:
            return self.git(arguments, ok=ok)
        except GitError as error:
            if not is_damage(error):
                raise
            if self.try_repair(str(error)):
                with contextlib.suppress(GitError):
                    return self.git(arguments, ok=ok)
            raise DamageError(f"Something that this needs in {self.git_dir}: {_GONE} ({error})") from error

    def _object(self, name: str) -> tuple[str, bytes] | None:
        """Read an object, after a repair if necessary."""
        try:
            return self._objects.read(name)
        except GitError as error:
            if not self.try_repair(str(error)):
                raise
        return self._objects.read(name)
