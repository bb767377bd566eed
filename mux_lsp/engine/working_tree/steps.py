"""Carry out the steps of an accept in a person's working tree, and undo them.

A step exchanges the staged file with the one at its path, and then checks what it got: so nothing that another
program saves in between is lost, and the person's own file stays in the staging folder until the accept is on
record.
"""

from __future__ import annotations

import contextlib
import os
import stat
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from mux_lsp.engine.working_tree.disk import digest
from mux_lsp.engine.working_tree.renames import At, UnsupportedError, exchange, move
from mux_lsp.engine.working_tree.staging import unwritten, write_file
from mux_lsp.engine.working_tree.tree import SYMLINK_MODE, folders_of, read_at
from mux_lsp.errors import ConflictError
from mux_lsp.faults import fault
from mux_lsp.git.path_rules import STAGING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mux_lsp.core.transaction import Intent, Step
    from mux_lsp.engine.working_tree.tree import Tree

_OTHER: Final = "other"
"""Digest of anything that is neither file, link nor folder, or is behind a link."""

_FOLDER: Final = "folder"
"""Digest of a folder."""


Looks = tuple[int, int]
"""Modification time in nanoseconds and size of a file: they show whether it was written to."""


class State(Enum):
    """Progress of one step."""

    TODO = auto()
    """The path is unchanged, and its new content is staged."""
    DONE = auto()
    """The path has got its new content. The person may have changed it since."""
    TOUCHED = auto()
    """The person has changed the path before it was written."""
    LOST = auto()
    """The path is unchanged, and its staged content is gone."""


class Steps:
    """Steps of an accept in an open working tree, with its open staging folders (None: no longer there)."""

    def __init__(self, tree: Tree, intent: Intent, folders: Sequence[int | None]) -> None:
        self._tree = tree
        self._steps = intent.steps
        self._modes = {one.path: one.mode for one in intent.modes}
        self._folders = folders
        self._compared: dict[int, Looks] = {}

    def write_all(self) -> Mapping[int, Looks]:
        """Carry out every step. Raises ConflictError if a path has changed, or MuxError; undo it then.

        Return the times and sizes of the files that were replaced, by step.
        """
        for number in range(len(self._steps)):
            self.carry_out(number)
        for number in self._compared:
            if self._looks(number) != self._compared[number]:
                # A program that had the file open has written to it since.
                raise self._changed(number)
        return self._compared

    def carry_out(self, number: int) -> None:
        """Carry out one step. Raises ConflictError if its path has changed, or MuxError; the step is undone then."""
        step = self._steps[number]
        try:
            fault("accept.write", number)
            if step.before is not None and self._digest_here(step.path) != step.before:
                # Checked before the exchange: a program that opens the path before a reversal would get our file.
                raise self._changed(number)
            if step.after is None:
                self._take(number)
            elif step.before is None:
                self._bring(number)
            else:
                self._swap(number)
            fault("accept.written", number)
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            raise self._changed(number) from None
        except OSError as error:
            then = "everything was put back as it was"
            raise unwritten(self._tree.root / step.path, error, then) from error

    def complete(self, number: int) -> None:
        """Complete a step that may have been interrupted. Raises as `carry_out` does."""
        step = self._steps[number]
        if self.state(number) is State.TODO:
            self.carry_out(number)
        elif step.after is None:
            self._remove_empty_folders(step.path)

    def undo_all(self) -> list[str]:
        """Undo every step that was carried out, except where the path has been changed since.

        Return the paths that have other content now; their previous content stays staged. Raises OSError.
        """
        kept: list[str] = []
        for number in reversed(range(len(self._steps))):
            fault("accept.undo", number)
            if not self._undo(number):
                kept.append(self._steps[number].path)
            fault("accept.undone", number)
        return kept

    def state(self, number: int) -> State:
        """Return the progress of a step, determined from its path and its staged content."""
        step = self._steps[number]
        self._settle_link(number)
        here, slot = self._digest_here(step.path), self._digest_of(number)
        if step.after is None:
            if slot is not None:
                return State.DONE
            return State.TODO if here == step.before else State.DONE if here is None else State.TOUCHED
        if slot == step.after:
            # The folder may be about to be removed: the step itself finds out.
            todo = here == step.before or (step.before is None and here == _FOLDER)
            return State.TODO if todo else State.DONE if here == step.after else State.TOUCHED
        if slot is not None or here == step.after:
            return State.DONE if slot in {None, step.before} else State.TOUCHED
        if here != step.before:
            # The staged content of a new file is gone while its folder exists: it had been moved to the path.
            moved = step.before is None and self._folders[step.stage] is not None
            return State.DONE if moved else State.TOUCHED
        return State.LOST

    def was_done(self, number: int) -> bool:
        """Return whether a step that could not be undone had given its path the new content, by what is staged."""
        return self._folders[self._steps[number].stage] is None or self._digest_of(number) == self._steps[number].before

    def content(self, number: int) -> bytes | None:
        """Return the current staged content of a step; None if it is not a file."""
        try:
            found = read_at(self._slot(number))
        except OSError:
            return None
        return None if found is None or found.mode == SYMLINK_MODE else found.content

    # Internals

    def _slot(self, number: int) -> At:
        folder = self._folders[self._steps[number].stage]
        if folder is None:
            raise FileNotFoundError(f"{STAGING} is not there any more")
        return At(folder, str(number))

    def _spare(self, number: int) -> At:
        slot = self._slot(number)
        return At(slot.folder, f"{slot.name}.old")

    def _take(self, number: int) -> None:
        step, slot = self._steps[number], self._slot(number)
        with self._tree.parent(step.path) as at:
            move(at, slot)
            fault("accept.taken", number)
            if (problem := self._problem(number)) is not None:
                move(slot, at)
                raise problem
        self._remove_empty_folders(step.path)

    def _bring(self, number: int) -> None:
        step = self._steps[number]
        try:
            with self._tree.parent(step.path, make=True) as at:
                move(self._slot(number), at)
        except BaseException:
            self._remove_made(step)
            raise

    def _swap(self, number: int) -> None:
        step, slot = self._steps[number], self._slot(number)
        with self._tree.parent(step.path) as at:
            try:
                exchange(slot, at)
            except UnsupportedError:
                self._swap_by_link(number, at)
                return
            fault("accept.exchanged", number)
            if (problem := self._problem(number)) is not None:
                self._exchange_back(number, at)
                raise problem

    def _exchange_back(self, number: int, at: At) -> None:
        slot = self._slot(number)
        exchange(slot, at)
        with contextlib.suppress(OSError):  # unreadable content is the one that we staged
            if self._digest_of(number) == self._steps[number].after:
                return
            # It was saved once more in between: the newer text stays.
            exchange(slot, at)

    def _swap_by_link(self, number: int, at: At) -> None:
        """Exchange on a file system that cannot exchange names.

        A file that is saved by a rename between the second comparison and the replacement (two system calls) is
        lost. One that is written in place is not.
        """
        slot, spare = self._slot(number), self._spare(number)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(spare.name, dir_fd=spare.folder)
        try:
            os.link(at.name, spare.name, src_dir_fd=at.folder, dst_dir_fd=spare.folder, follow_symlinks=False)
        except PermissionError:  # a file system without hard links
            _copy(at, spare)
        fault("accept.linked", number)
        if _digest_at(spare) != self._steps[number].before or _digest_at(at) != self._steps[number].before:
            os.unlink(spare.name, dir_fd=spare.folder)
            raise self._changed(number)
        os.rename(slot.name, at.name, src_dir_fd=slot.folder, dst_dir_fd=at.folder)
        fault("accept.replaced", number)
        self._settle_link(number)
        if (problem := self._problem(number)) is not None:
            os.rename(slot.name, at.name, src_dir_fd=slot.folder, dst_dir_fd=at.folder)
            raise problem

    def _settle_link(self, number: int) -> None:
        """Complete or undo an interrupted `_swap_by_link`."""
        with contextlib.suppress(OSError):
            slot, spare = self._slot(number), self._spare(number)
            if _digest_at(slot) is None:
                os.rename(spare.name, slot.name, src_dir_fd=spare.folder, dst_dir_fd=slot.folder)
            else:
                os.unlink(spare.name, dir_fd=spare.folder)

    def _undo(self, number: int) -> bool:
        """Undo one step. Return whether the path is as it was before."""
        step = self._steps[number]
        self._settle_link(number)
        here, slot = self._digest_here(step.path), self._digest_of(number)
        if self._folders[step.stage] is None:
            # The staging folder was removed: there is nothing left to undo it with.
            return here != step.after
        if step.after is None:
            return slot is None or self._bring_back(number)
        if slot == step.after:
            # It was not carried out, except for its folders.
            self._remove_made(step)
            return True
        if here != step.after:
            # A new file that is gone again needs no undo.
            return step.before is None and here is None
        if step.before is None:
            return self._take_back(number)
        return slot is not None and self._swap_back(number)

    def _take_back(self, number: int) -> bool:
        step, slot = self._steps[number], self._slot(number)
        with self._tree.parent(step.path) as at:
            move(at, slot)
            if self._digest_of(number) != step.after:
                move(slot, at)
                return False
        self._remove_made(step)
        return True

    def _swap_back(self, number: int) -> bool:
        slot = self._slot(number)
        with self._tree.parent(self._steps[number].path) as at:
            try:
                self._exchange_back(number, at)
            except UnsupportedError:
                os.rename(slot.name, at.name, src_dir_fd=slot.folder, dst_dir_fd=at.folder)
        return True

    def _bring_back(self, number: int) -> bool:
        step = self._steps[number]
        try:
            with self._tree.parent(step.path, make=True) as at:
                move(self._slot(number), at)
        except (FileExistsError, NotADirectoryError, ConflictError):
            return False
        for folder in folders_of(step.path):
            if (mode := self._modes.get(folder)) not in {None, self._tree.permissions(folder)}:
                with self._tree.parent(folder) as at, contextlib.suppress(OSError):
                    os.chmod(at.name, mode, dir_fd=at.folder)
        return True

    def _problem(self, number: int) -> Exception | None:
        """Return the error if the file taken from a path may not be replaced; None if it is the expected one."""
        try:
            # Taken before the content is read: anything that is written to the open file later shows at the end.
            looks = self._looks(number)
            if self._digest_of(number) != self._steps[number].before:
                return self._changed(number)
        except OSError as error:
            return error
        self._compared[number] = looks
        return None

    def changed_since(self, looks: Mapping[int, Looks]) -> list[int]:
        """Return the steps whose replaced files have changed time or size. Raises OSError."""
        return [number for number, before in looks.items() if self._looks(number) != before]

    def _looks(self, number: int) -> Looks:
        slot = self._slot(number)
        status = os.lstat(slot.name, dir_fd=slot.folder)
        return status.st_mtime_ns, status.st_size

    def _digest_of(self, number: int) -> str | None:
        try:
            return _digest_at(self._slot(number))
        except FileNotFoundError:
            return None

    def _digest_here(self, path: str) -> str | None:
        try:
            with self._tree.parent(path) as at:
                return _digest_at(at)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ConflictError:
            return _OTHER

    def _changed(self, number: int) -> ConflictError:
        path = self._steps[number].path
        return ConflictError(f"{path} changed on disk a moment ago; nothing was written. Try again.")

    def _remove_made(self, step: Step) -> None:
        for folder in reversed(step.made):
            if not self._tree.remove_folder(folder):
                return

    def _remove_empty_folders(self, path: str) -> None:
        # git does not keep empty folders, so accepting a deletion removes them, as git does.
        for folder in reversed(tuple(folders_of(path))):
            if not self._tree.remove_folder(folder):
                return


def _copy(source: At, target: At) -> None:
    entry = read_at(source)
    if entry is None or entry.mode == SYMLINK_MODE:
        raise FileNotFoundError(source.name)
    write_file(target, entry.content, entry.mode)


def _digest_at(at: At) -> str | None:
    try:
        return digest(read_at(at))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        return _FOLDER if stat.S_ISDIR(os.lstat(at.name, dir_fd=at.folder).st_mode) else _OTHER
