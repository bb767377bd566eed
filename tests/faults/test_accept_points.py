"""Test the files of an accept: killed at every point, failing at every call, and with other programs in between.

This module checks the working tree and the staged files only, in a forked process for each point, so that all points
take seconds. `tests.faults` does the same for a whole engine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mux_lsp import faults
from mux_lsp.core.transaction import Intent
from mux_lsp.engine.working_tree import renames, staging
from mux_lsp.engine.working_tree.disk import EXECUTABLE_MODE, FILE_MODE, SYMLINK_MODE, Entry, Write, read
from mux_lsp.engine.working_tree.recovery import Recovered, RecoveryOutcome, recover
from mux_lsp.engine.working_tree.steps import Steps
from mux_lsp.engine.working_tree.tree import opened
from mux_lsp.errors import ConflictError, MuxError
from mux_lsp.git.path_rules import STAGING
from tests.faults.crash.enumerating import in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mux_lsp.faults import Plan

KILLED: Final = 9
NAME: Final = "home-1"

FILES: Final = {
    "changed.txt": (0o600, b"a\n"),
    "tool.sh": (0o755, b"#!/bin/sh\n"),
    "gone/deep/er.txt": (0o640, b"bye\n"),
    "old.txt": (0o604, b"moves\n"),
    "file": (0o644, b"makes way\n"),
    "folder/one": (0o644, b"1\n"),
    "folder/two/three": (0o644, b"3\n"),
    "picture": (0o644, bytes(range(256)) * 40),
    "stays/mine.txt": (0o644, b"mine\n"),
}


def entry(content: bytes, mode: int = FILE_MODE) -> Entry:
    return Entry(mode, content)


def writes(root: Path) -> list[Write]:
    """Return changes of every kind.

    They are contents, modes, links, binaries, new folders, deletions, moves, file to folder and back.
    """
    now = {path: read(root, path) for path in FILES}
    return [
        Write("changed.txt", now["changed.txt"], entry(b"A\n")),
        Write("tool.sh", now["tool.sh"], entry(b"#!/bin/sh\n")),
        Write("new/deep/x", None, entry(b"new\n", EXECUTABLE_MODE)),
        Write("new/link", None, Entry(SYMLINK_MODE, b"deep/x")),
        Write("gone/deep/er.txt", now["gone/deep/er.txt"], None),
        Write("moved/b.txt", None, entry(b"moved\n"), moved_from="old.txt"),
        Write("old.txt", now["old.txt"], None),
        Write("file", now["file"], None),
        Write("file/inside", None, entry(b"a folder now\n")),
        Write("folder/one", now["folder/one"], None),
        Write("folder/two/three", now["folder/two/three"], None),
        Write("folder", None, entry(b"a file now\n")),
        Write("picture", now["picture"], entry(bytes(reversed(range(256))) * 50)),
    ]


def look(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return every folder, file and link with its mode and content, staged ones too."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = b""
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found[str(path.relative_to(root))] = (status.st_mode, content)
    return found


class Scene:
    """A working tree, its states before and after an accept, and the accept itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.template = folder / "template"
        for path, (mode, content) in FILES.items():
            place = self.template / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(mode)
        self.root = folder / "root"
        self.kept = folder / "kept"
        self.reset()
        self.before = look(self.root)
        self.points: list[tuple[str, int]] = []
        with planned(lambda name, number: self.points.append((name, number))):
            intent = self.stage()
            self.write(intent)
            self.clear(intent)
        self.after = look(self.root)

    def reset(self) -> None:
        for place in (self.root, self.kept):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.template, self.root)

    def stage(self) -> Intent:
        with opened(self.root) as tree:
            plan = staging.stage(tree, NAME, writes(self.root))
            return Intent(NAME, str(self.root), tree.identity, "k3f-1", "a test", plan.steps, plan.stages, plan.modes)

    def write(self, intent: Intent) -> None:
        with opened(self.root) as tree, staging.staged(tree, NAME, intent.stages) as folders:
            Steps(tree, intent, folders).write_all()

    def undo(self, intent: Intent) -> None:
        with opened(self.root) as tree, staging.staged(tree, NAME, intent.stages) as folders:
            Steps(tree, intent, folders).undo_all()

    def clear(self, intent: Intent) -> None:
        with opened(self.root) as tree:
            staging.remove(tree, NAME, intent.stages)

    def recover(self, intent: Intent, *, back: bool = False) -> Recovered:
        """Recover as the next daemon does."""
        found = recover(intent, self.kept, back=back)
        self.clear(intent)
        return found


@contextlib.contextmanager
def planned(plan: Plan) -> Iterator[None]:
    faults.install(plan)
    try:
        yield
    finally:
        faults.install(None)


def killed_at(moment: int, work: Callable[[], object]) -> bool:
    """Do something in a forked process that ends at its point number `moment`. Return whether it got there."""
    child = os.fork()
    if child == 0:
        passed = [0]

        def plan(_: str, __: int) -> None:
            passed[0] += 1
            if passed[0] > moment:
                os._exit(KILLED)

        status = 1
        try:
            faults.install(plan)
            work()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, KILLED}
    return status == KILLED


@pytest.fixture
def scene() -> Iterator[Scene]:
    # In memory: each point waits for the disk about thirty times.
    with tempfile.TemporaryDirectory(prefix="mux-accept-", dir=in_memory()) as folder:
        yield Scene(Path(folder).resolve())


def moments(work: Callable[[int], bool]) -> int:
    """Try every moment until the work ends before it. Return the number of moments."""
    moment = 0
    while work(moment):
        moment += 1
    return moment


def test_killed_while_it_is_staged_leaves_nothing_but_what_the_next_daemon_removes(scene: Scene) -> None:
    from mux_lsp.engine.working_tree.recovery import sweep

    def once(moment: int) -> bool:
        scene.reset()
        killed = killed_at(moment, scene.stage)
        sweep([scene.root], "home-", frozenset())
        assert look(scene.root) == scene.before
        return killed

    assert moments(once) > len(FILES)


def test_killed_while_it_is_written_all_of_it_is_there_afterwards(scene: Scene) -> None:
    def once(moment: int) -> bool:
        scene.reset()
        intent = scene.stage()
        killed = killed_at(moment, lambda: scene.write(intent))
        assert scene.recover(intent).outcome is RecoveryOutcome.FORWARD
        assert look(scene.root) == scene.after, scene.points
        return killed

    assert moments(once) > 3 * len(writes(scene.template))


def test_killed_while_it_is_undone_none_of_it_is_there_afterwards(scene: Scene) -> None:
    def once(moment: int) -> bool:
        scene.reset()
        intent = scene.stage()
        scene.write(intent)
        killed = killed_at(moment, lambda: scene.undo(intent))
        assert scene.recover(intent, back=True).outcome is RecoveryOutcome.BACK
        assert look(scene.root) == scene.before
        return killed

    assert moments(once) > 3 * len(writes(scene.template))


def test_killed_again_while_the_next_daemon_completes_it(scene: Scene) -> None:
    def once(moment: int) -> bool:
        scene.reset()
        intent = scene.stage()
        assert killed_at(20, lambda: scene.write(intent))
        killed = killed_at(moment, lambda: recover(intent, scene.kept, back=False))
        scene.recover(intent)
        assert look(scene.root) == scene.after
        return killed

    assert moments(once) > 3 * len(writes(scene.template))


@pytest.mark.parametrize("path", [path for path in FILES if not path.startswith("stays")])
def test_what_the_person_has_saved_meanwhile_stays_and_the_rest_is_all_or_nothing(scene: Scene, path: str) -> None:
    """Kill it at every point; then the person saves one of the files, and the next daemon starts."""

    def once(moment: int) -> bool:
        scene.reset()
        intent = scene.stage()
        killed = killed_at(moment, lambda: scene.write(intent))
        place = scene.root / path
        if not place.parent.is_dir() or place.is_dir():
            return killed  # its folder is gone, or it is a folder: nothing can be saved there
        place.write_bytes(b"saved just now\n")
        found = scene.recover(intent)
        now = look(scene.root)
        assert now[path][1] == b"saved just now\n"
        wanted = scene.after if found.outcome is RecoveryOutcome.FORWARD else scene.before
        others = {name for name in wanted | now if name != path and not path.startswith(f"{name}/")}
        # Entries for which the person's file is in the way stay as they were before.
        others = {name for name in others if not name.startswith(f"{path}/")}
        assert {name: now.get(name) for name in others} == {name: wanted.get(name) for name in others}
        return killed

    assert moments(once) > 3 * len(writes(scene.template))


def test_a_file_system_that_cannot_exchange_names(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the file is linked, compared and replaced; killed at every point it is still complete or undone."""

    def unsupported(*_: object) -> None:
        raise renames.UnsupportedError

    monkeypatch.setattr(renames, "_rename", unsupported)

    def once(moment: int) -> bool:
        scene.reset()
        intent = scene.stage()
        killed = killed_at(moment, lambda: scene.write(intent))
        assert scene.recover(intent).outcome is RecoveryOutcome.FORWARD
        assert look(scene.root) == scene.after
        scene.reset()
        intent = scene.stage()
        killed_at(moment, lambda: scene.write(intent))
        assert scene.recover(intent, back=True).outcome is RecoveryOutcome.BACK
        assert look(scene.root) == scene.before
        return killed

    assert moments(once) > 3 * len(writes(scene.template))


def test_what_was_staged_is_gone(scene: Scene) -> None:
    """`git clean -fdX` ran between two daemons: what can be determined is reported, and nothing more is changed."""

    def once(moment: int) -> bool:
        scene.reset()
        intent = scene.stage()
        killed = killed_at(moment, lambda: scene.write(intent))
        shutil.rmtree(scene.root / STAGING)
        before = look(scene.root)
        found = scene.recover(intent)
        assert look(scene.root) == before
        # Either all of it was written, or the files with accepted content are named.
        if found.outcome is RecoveryOutcome.FORWARD:
            assert before == scene.after
        else:
            changed = {
                step.path for step in intent.steps if step.after and before.get(step.path) == scene.after[step.path]
            }
            assert found.stays == changed
        return killed

    assert moments(once) > 3 * len(writes(scene.template))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EIO, "input/output error"),
        (errno.EROFS, "is read-only"),
        (errno.EMFILE, "as many files open as it may"),
        (errno.EDQUOT, "your quota is used up"),
    ],
)
def test_a_disk_that_fails_at_any_call_leaves_everything_as_it_was(scene: Scene, number: int, words: str) -> None:
    def once(moment: int) -> bool:
        scene.reset()
        passed = [0]

        def fail(name: str, _: int) -> None:
            # The points of an accept are between calls, those of trees and renames at them.
            passed[0] += not name.startswith("accept.")
            if passed[0] == moment + 1 and not name.startswith("accept."):
                raise OSError(number, os.strerror(number))

        intent = None
        try:
            with planned(fail):
                intent = scene.stage()
                scene.write(intent)
        except MuxError as error:
            assert words in str(error), error
            if intent is not None:
                scene.undo(intent)
                scene.clear(intent)
            assert look(scene.root) == scene.before
            return True
        # The last points are after the last call, or a failure there has no effect.
        scene.clear(intent)
        assert look(scene.root) == scene.after
        return passed[0] > moment

    assert moments(once) > 5 * len(FILES)


def test_a_file_that_is_saved_at_any_moment_is_never_lost(scene: Scene) -> None:
    """Another program saves it, by replacing it as editors do or in place, between any two calls."""
    for in_place in (True, False):

        def once(moment: int, in_place: bool = in_place) -> bool:
            scene.reset()
            intent = scene.stage()
            passed = [0]

            def save(_: str, __: int) -> None:
                passed[0] += 1
                if passed[0] != moment + 1:
                    return
                if in_place:
                    (scene.root / "changed.txt").write_bytes(b"saved just now\n")
                else:
                    (scene.folder / "new").write_bytes(b"saved just now\n")
                    (scene.folder / "new").rename(scene.root / "changed.txt")

            try:
                with planned(save):
                    scene.write(intent)
            except ConflictError as error:
                assert "changed on disk a moment ago; nothing was written" in str(error)
                scene.undo(intent)
            scene.clear(intent)
            if passed[0] <= moment:
                return False
            assert (scene.root / "changed.txt").read_bytes() == b"saved just now\n"
            return True

        assert moments(once) > 3 * len(writes(scene.template))


@pytest.mark.parametrize("folder", ["gone", "gone/deep", "folder", "new", "stays", "moved"])
def test_a_folder_that_is_replaced_by_a_link_at_any_moment_leads_nowhere(scene: Scene, folder: str) -> None:
    outside = scene.folder / "outside"

    def once(moment: int) -> bool:
        scene.reset()
        shutil.rmtree(outside, ignore_errors=True)
        shutil.copytree(scene.root / "stays", outside)
        for name in ("er.txt", "one", "x", "b.txt"):
            (outside / name).write_bytes(b"somebody else's\n")
        before = look(outside)
        passed = [0]

        def swap(_: str, __: int) -> None:
            passed[0] += 1
            place = scene.root / folder
            if passed[0] == moment + 1 and place.parent.is_dir() and not place.is_symlink():
                if place.exists():
                    place.rename(scene.folder / f"aside-{moment}")
                place.symlink_to(outside)

        intent = None
        with contextlib.suppress(MuxError), planned(swap):
            intent = scene.stage()
            scene.write(intent)
        if intent is not None:
            with contextlib.suppress(MuxError):
                scene.undo(intent)
            scene.clear(intent)
        assert look(outside) == before
        assert not (scene.root / STAGING).exists()
        shutil.rmtree(scene.folder / f"aside-{moment}", ignore_errors=True)
        return passed[0] > moment

    assert moments(once) > 5 * len(FILES)
