"""Carry out the steps of an accept in a person's working tree, and undo them.

A step exchanges what is staged with what is at its path, and looks at what came out: so nothing that another program
saves in between is lost, and the person's own file is in the staging folder until the accept is on record.
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
"""The digest of what is neither file, link nor folder, or behind a link."""

_FOLDER: Final = "folder"
"""The digest of a folder."""


Looks = tuple[int, int]
"""When a file was changed last, in nanoseconds, and its size: what shows that it was written to."""


class State(Enum):
    """How far one step has come."""

    TODO = auto()
    """The path is as it was, and what shall be there is staged."""
    DONE = auto()
    """The path has got what it shall have. The person may have changed it since."""
    TOUCHED = auto()
    """The person has changed the path before its turn."""
    LOST = auto()
    """The path is as it was, and what was staged for it is gone."""


class Steps:
    """The steps of an accept in an open working tree, with its open staging folders (None: not there any more)."""

    def __init__(self, tree: Tree, intent: Intent, folders: Sequence[int | None]) -> None:
        self._tree = tree
        self._steps = intent.steps
        self._modes = {one.path: one.mode for one in intent.modes}
        self._folders = folders
        self._compared: dict[int, Looks] = {}

    def write_all(self) -> Mapping[int, Looks]:
        """Carry every step out. Raises ConflictError where a path is not as it was, or MuxError; undo it then.

        Returns how the files looked that were replaced, by step.
        """
        for number in range(len(self._steps)):
            self.carry_out(number)
        for number in self._compared:
            if self._looks(number) != self._compared[number]:
                # A program that had the file open has written to it since.
                raise self._changed(number)
        return self._compared

    def carry_out(self, number: int) -> None:
        """Carry one step out. Raises ConflictError where its path is not as it was, MuxError; it is undone then."""
        step = self._steps[number]
        try:
            fault("accept.write", number)
            if step.before is not None and self._digest_here(step.path) != step.before:
                # Seen before anything is exchanged: whoever opens the path meanwhile shall not get what is put back.
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
        """Bring a step to its end that may have been cut off. Raises as `carry_out` does."""
        step = self._steps[number]
        if self.state(number) is State.TODO:
            self.carry_out(number)
        elif step.after is None:
            self._remove_empty_folders(step.path)

    def undo_all(self) -> list[str]:
        """Undo every step that was carried out, but where somebody has changed the path since.

        Returns the paths at which something else is now; what was there before stays staged. Raises OSError.
        """
        kept: list[str] = []
        for number in reversed(range(len(self._steps))):
            fault("accept.undo", number)
            if not self._undo(number):
                kept.append(self._steps[number].path)
            fault("accept.undone", number)
        return kept

    def state(self, number: int) -> State:
        """How far a step has come, by what is at its path and what is staged."""
        step = self._steps[number]
        self._settle_link(number)
        here, slot = self._digest_here(step.path), self._digest_of(number)
        if step.after is None:
            if slot is not None:
                return State.DONE
            return State.TODO if here == step.before else State.DONE if here is None else State.TOUCHED
        if slot == step.after:
            # A folder may be on its way out: the step itself finds out.
            todo = here == step.before or (step.before is None and here == _FOLDER)
            return State.TODO if todo else State.DONE if here == step.after else State.TOUCHED
        if slot is not None or here == step.after:
            return State.DONE if slot in {None, step.before} else State.TOUCHED
        if here != step.before:
            # What was staged for a new file, in a folder that is still there, was moved to its path before this.
            moved = step.before is None and self._folders[step.stage] is not None
            return State.DONE if moved else State.TOUCHED
        return State.LOST

    def was_done(self, number: int) -> bool:
        """Whether a path had what it shall have, for a step that could not be undone, by what is staged."""
        return self._folders[self._steps[number].stage] is None or self._digest_of(number) == self._steps[number].before

    def content(self, number: int) -> bytes | None:
        """What is staged for a step now, None where it is no file."""
        try:
            found = read_at(self._slot(number))
        except OSError:
            return None
        return None if found is None or found.mode == SYMLINK_MODE else found.content

    # Inside

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
        with contextlib.suppress(OSError):  # what cannot be read now was staged by us
            if self._digest_of(number) == self._steps[number].after:
                return
            # Saved once more in between: the newer text stays.
            exchange(slot, at)

    def _swap_by_link(self, number: int, at: At) -> None:
        """The same where the file system cannot exchange names.

        A file that is saved by a rename between the second comparison and the replacement is lost: two calls of the
        system. One that is written in place is not.
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
        """Bring what `_swap_by_link` has left half-way to one of its ends."""
        with contextlib.suppress(OSError):
            slot, spare = self._slot(number), self._spare(number)
            if _digest_at(slot) is None:
                os.rename(spare.name, slot.name, src_dir_fd=spare.folder, dst_dir_fd=slot.folder)
            else:
                os.unlink(spare.name, dir_fd=spare.folder)

    def _undo(self, number: int) -> bool:
        """Undo one step. Returns whether the path is as it was before."""
        step = self._steps[number]
        self._settle_link(number)
        here, slot = self._digest_here(step.path), self._digest_of(number)
        if self._folders[step.stage] is None:
            # Somebody has removed what was staged: there is nothing to undo it by.
            return here != step.after
        if step.after is None:
            return slot is None or self._bring_back(number)
        if slot == step.after:
            # It was not carried out, but for its folders.
            self._remove_made(step)
            return True
        if here != step.after:
            # For what was new and is gone there is nothing to do.
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
        """Why what came out of a path may not be replaced; None where it is what was expected there."""
        try:
            # Before the content is read: what is written to the open file from then on shows at the end.
            looks = self._looks(number)
            if self._digest_of(number) != self._steps[number].before:
                return self._changed(number)
        except OSError as error:
            return error
        self._compared[number] = looks
        return None

    def changed_since(self, looks: Mapping[int, Looks]) -> list[int]:
        """The steps whose replaced files look different by now. Raises OSError."""
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
        # git keeps no empty folders; the person's view after accepting a deletion is git's.
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
