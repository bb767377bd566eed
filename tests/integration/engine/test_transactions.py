"""Test accepts that an engine has begun and not completed, and their recovery by the next engine."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp import faults
from mux_lsp.engine.review import select, transactions
from mux_lsp.errors import ConflictError, MuxError, StorageError
from mux_lsp.git.path_rules import STAGING
from mux_lsp.lsp.wire.documents import Lives
from tests.integration.engine.conftest import ended
from tests.support.person import git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.engine.review.transactions import Transaction
    from tests.integration.engine.conftest import Workshop

AGENT = "sh:sed -i s/two/2/ f.txt; echo new > n.txt; rm g.txt; printf '\\0\\1' > b.bin"
BEFORE = {"f.txt": b"one\ntwo\nthree\n", "g.txt": b"g\n"}
AFTER = {"f.txt": b"one\n2\nthree\n", "n.txt": b"new\n", "b.bin": b"\0\1"}
CHANGES = 4


class Editor:
    """A client with its own buffers, as the engine sees clients."""

    name = "an editor"

    def __init__(self) -> None:
        self.buffers: dict[str, bytes] = {}

    def unsaved(self, _: Path) -> tuple[dict[str, bytes], tuple[()]]:
        return self.buffers, ()


@pytest.fixture
def shop(workshop: Workshop) -> Workshop:
    (workshop.root / "g.txt").write_text("g\n")
    git(workshop.root, "add", ".")
    return workshop


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and {".git", STAGING}.isdisjoint(path.parts)
    }


async def chosen(shop: Workshop, engine: Engine) -> Selection:
    """Return the whole change of a run, placed on the disk."""
    task = await shop.start(engine, AGENT, "sh:echo other > f.txt")
    run = await ended(engine, task.runs[0].id)
    await ended(engine, task.runs[1].id)
    return select.select(engine.review, run.id, Lives(shop.root, {}))


async def begun(engine: Engine, selection: Selection, carried: Sequence[str] = ()) -> Transaction:
    """Begin an accept in which an editor is to apply the changes to the files `carried`."""
    client: Any = Editor()
    by_editor = [plan for plan in selection.plans if plan.path in carried]
    written = [plan for plan in selection.plans if plan.path not in carried]
    rest = [run.id for run in engine.registry.task(selection.run.task).runs if run.id != selection.run.id]
    with engine.history.deciding(selection, client.name):
        return await select.begin(engine.review, selection, written, by_editor, client=client, discard=rest)


def on_record(engine: Engine) -> int:
    return sum(one.withdrawn is None for one in engine.history.read())


def discarded(engine: Engine) -> list[bool]:
    [task] = engine.registry.tasks()
    return [run.discarded is not None for run in task.runs]


@pytest.mark.parametrize("written", [False, True])
async def test_what_was_noted_is_completed_by_the_next_engine(shop: Workshop, *, written: bool) -> None:
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine))
        if written:
            await transaction.write()
        assert on_record(engine) == 0
    async with shop.engine() as engine:
        assert files(shop.root) == AFTER
        assert on_record(engine) == CHANGES
        assert discarded(engine) == [False, True]
        [notice] = engine.notices.take()
        assert "was cut off, and was completed now" in notice
        assert engine.notices.take() == ()
    async with shop.engine() as engine:
        assert engine.notices.take() == ()
        assert on_record(engine) == CHANGES


async def test_where_the_person_has_saved_a_file_meanwhile_it_is_undone(shop: Workshop) -> None:
    async with shop.engine() as engine:
        await begun(engine, await chosen(shop, engine))
    (shop.root / "f.txt").write_text("mine\n")
    async with shop.engine() as engine:
        assert files(shop.root) == BEFORE | {"f.txt": b"mine\n"}
        assert on_record(engine) == 0
        assert discarded(engine) == [False, False]
        [notice] = engine.notices.take()
        assert "was cut off, and was undone, since f.txt changed meanwhile: `mux-lsp accept" in notice


@pytest.mark.parametrize("name", ["f.txt", "n.txt"])
async def test_what_the_person_has_changed_after_it_was_written_is_forward(shop: Workshop, name: str) -> None:
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine))
        await transaction.write()
    with (shop.root / name).open("ab") as file:
        file.write(b"four\n")
    async with shop.engine() as engine:
        assert files(shop.root) == AFTER | {name: AFTER[name] + b"four\n"}
        assert on_record(engine) == CHANGES


async def test_an_editor_that_was_not_asked_yet_gets_nothing(shop: Workshop) -> None:
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine), ["f.txt"])
        await transaction.write()
    async with shop.engine() as engine:
        assert files(shop.root) == BEFORE
        assert on_record(engine) == 0


@pytest.mark.parametrize("where", ["buffer", "disk"])
async def test_what_an_editor_has_applied_counts(shop: Workshop, where: str) -> None:
    """The daemon died after the request and before the answer. The editor comes back, or has saved the text."""
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine), ["f.txt"])
        await transaction.write()
        transaction.asking()
    editor = Editor()
    async with shop.engine() as engine:
        # Nothing is decided before a text shows it.
        assert files(shop.root) == AFTER | {"f.txt": BEFORE["f.txt"]}
        assert on_record(engine) == 0
        if where == "buffer":
            editor.buffers["f.txt"] = AFTER["f.txt"]
        else:
            (shop.root / "f.txt").write_bytes(AFTER["f.txt"])
        engine.clients.join(editor)
        engine.transactions.text_seen(shop.root / "f.txt", opened=True)
        await engine.transactions.settle(shop.root)
        assert on_record(engine) == CHANGES
        assert discarded(engine) == [False, True]
        expected = AFTER if where == "disk" else AFTER | {"f.txt": BEFORE["f.txt"]}
        assert files(shop.root) == expected


async def test_what_no_editor_has_applied_is_undone_in_the_end(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine), ["f.txt"])
        await transaction.write()
        transaction.asking()
    monkeypatch.setattr(transactions, "UNDECIDED_SECONDS", 0.0)
    async with shop.engine() as engine:
        await engine.transactions.decided()
        assert files(shop.root) == BEFORE
        assert on_record(engine) == 0
        assert discarded(engine) == [False, False]
        [notice] = engine.notices.take()
        assert "was cut off, and was undone" in notice


async def test_an_editor_that_is_still_at_it_decides_nothing_yet(shop: Workshop) -> None:
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine), ["f.txt"])
        await transaction.write()
        transaction.asking()
    editor = Editor()
    async with shop.engine() as engine:
        engine.clients.join(editor)
        # It opens the file as it was, and applies the edit a moment later.
        engine.transactions.text_seen(shop.root / "f.txt", opened=True)
        editor.buffers["f.txt"] = AFTER["f.txt"]
        engine.transactions.text_seen(shop.root / "f.txt", opened=False)
        await engine.transactions.decided()
        assert on_record(engine) == CHANGES


@pytest.mark.parametrize("applied", [True, False])
async def test_an_edit_that_an_editor_was_given_counts_where_its_text_has_it(shop: Workshop, *, applied: bool) -> None:
    editor: Any = Editor()
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        selection = select.select(engine.review, selection.run.id, Lives(shop.root, {}), paths=["f.txt"])
        await select.offer(engine.review, selection, editor)
        assert on_record(engine) == 0
    async with shop.engine() as engine:
        engine.clients.join(editor)
        if applied:
            editor.buffers["f.txt"] = AFTER["f.txt"]
        engine.transactions.text_seen(shop.root / "f.txt", opened=True)
        await engine.transactions.decided()
        assert on_record(engine) == applied
        assert files(shop.root) == BEFORE
        assert engine.notices.take() == ()
        assert engine._ground.journal.pending_accepts() == ()


async def test_a_root_that_is_gone_is_not_made_again(shop: Workshop) -> None:
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        shutil.rmtree(shop.root)
        with pytest.raises(ConflictError, match=r"project is not there any more; nothing was written"):
            await begun(engine, selection)
        assert not shop.root.exists()


async def test_nothing_is_written_through_a_root_that_is_a_link_now(shop: Workshop, tmp_path: Path) -> None:
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        shop.root.rename(tmp_path / "elsewhere")
        before = files(tmp_path / "elsewhere")
        shop.root.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ConflictError, match=r"project is a symbolic link now; nothing was written"):
            await begun(engine, selection)
        assert files(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("what", ["root", ".git"])
async def test_nothing_is_written_to_another_repository_of_its_name(shop: Workshop, what: str) -> None:
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        place = shop.root if what == "root" else shop.root / ".git"
        copy = place.with_name("copy")
        shutil.copytree(place, copy, symlinks=True)
        shutil.rmtree(place)
        copy.rename(place)
        with pytest.raises(ConflictError, match=r"project is another folder than the one that \w+ started from"):
            await begun(engine, selection)
        assert files(shop.root) == BEFORE


async def test_a_root_that_comes_back_is_completed_then(shop: Workshop, tmp_path: Path) -> None:
    """A disk may not be mounted while a daemon starts."""
    async with shop.engine() as engine:
        await begun(engine, await chosen(shop, engine))
    shop.root.rename(tmp_path / "away")
    async with shop.engine() as engine:
        [notice] = engine.notices.take()
        assert "that folder is not there now" in notice
        assert on_record(engine) == 0
    (tmp_path / "away").rename(shop.root)
    async with shop.engine() as engine:
        assert files(shop.root) == AFTER
        assert on_record(engine) == CHANGES


async def test_nothing_is_staged_in_what_a_snapshot_sees(shop: Workshop) -> None:
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        transaction = await begun(engine, selection)
        assert (shop.root / ".mux-lsp").is_dir()
        assert ".mux-lsp" not in git(shop.root, "status", "--porcelain", "--untracked-files=all")
        (shop.root / ".mux-lsp" / "x.txt").write_text("not ignored\n")
        task = await shop.start(engine, "sh:find . -name '.mux-lsp*'")
        await ended(engine, task.runs[0].id)
        assert (engine.files.run_folder(task.runs[0].id) / "stdout").read_text() == ""
        (shop.root / ".mux-lsp" / "x.txt").unlink()
        await transaction.undo()
        assert files(shop.root) == BEFORE
        assert sorted(path.name for path in shop.root.iterdir()) == [".git", "f.txt", "g.txt"]


async def test_an_accept_outlives_its_task(shop: Workshop) -> None:
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        transaction = await begun(engine, selection)
        await transaction.write()
        await engine.tasks.delete(selection.run.task)
    async with shop.engine() as engine:
        assert files(shop.root) == AFTER
        assert on_record(engine) == CHANGES


async def test_what_the_person_has_changed_when_an_accept_is_given_up_is_told_and_on_record(shop: Workshop) -> None:
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine))
        await transaction.write()
        (shop.root / "n.txt").unlink()
        (shop.root / "f.txt").write_text("one\n2\nthree\nmine\n")
        (shop.root / "g.txt").write_text("mine\n")
        await transaction.undo()
        assert files(shop.root) == {"f.txt": b"one\n2\nthree\nmine\n", "g.txt": b"mine\n"}
        [notice] = engine.notices.take()
        assert "was given up, and was undone" in notice
        assert "What you have changed since stays as it is: f.txt." in notice
        assert f"Copies of what was there before are in {engine.files.backups_dir}" in notice
        assert on_record(engine) == 1
        assert engine._ground.journal.pending_accepts() == ()


async def test_what_was_refused_is_not_completed_when_its_root_comes_back(shop: Workshop, tmp_path: Path) -> None:
    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine))
        await transaction.write()
        shop.root.rename(tmp_path / "away")
        with pytest.raises(MuxError, match=r"could not be put back \(the folder is not there\)"):
            await transaction.undo()
    (tmp_path / "away").rename(shop.root)
    async with shop.engine() as engine:
        assert files(shop.root) == BEFORE
        assert on_record(engine) == 0


@pytest.mark.parametrize("later", [False, True])
async def test_what_is_whole_and_could_not_be_put_on_record_is_so_whatever_the_person_does(
    shop: Workshop, *, later: bool
) -> None:
    """The disk of the journal is full; the person goes on editing the accepted text."""

    def full(name: str, _: int) -> None:
        if name == "accept.record":
            raise StorageError("full")

    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        transaction = await begun(engine, selection)
        await transaction.write()
        with engine.history.deciding(selection, "an editor"):
            faults.install(full)
            try:
                await transaction.finish()
            finally:
                faults.install(None)
        (shop.root / "f.txt").write_text("one\n2\nthree\nmine\n")
        (shop.root / "n.txt").write_text("new\nmine\n")
        if later:
            engine.transactions._record_all()
    mine = AFTER | {"f.txt": b"one\n2\nthree\nmine\n", "n.txt": b"new\nmine\n"}
    async with shop.engine() as engine:
        assert files(shop.root) == mine
        assert on_record(engine) == CHANGES
        assert discarded(engine) == [False, True]
        assert not (shop.root / STAGING).exists()


async def test_what_is_staged_goes_when_what_was_found_is_on_record_at_last(shop: Workshop) -> None:
    def full(name: str, _: int) -> None:
        if name == "accept.record":
            raise StorageError("full")

    async with shop.engine() as engine:
        transaction = await begun(engine, await chosen(shop, engine), ["f.txt"])
        await transaction.write()
        transaction.asking()
    async with shop.engine() as engine:
        (shop.root / "f.txt").write_bytes(AFTER["f.txt"])
        faults.install(full)
        try:
            with pytest.raises(StorageError):
                await engine.transactions.settle(shop.root)
        finally:
            faults.install(None)
        owned = set(engine.background.pending)
        engine.transactions._record_all()
        await asyncio.gather(*(set(engine.background.pending) - owned))
        assert on_record(engine) == CHANGES
        assert not (shop.root / STAGING).exists()


async def test_what_is_on_record_is_decided_no_more_while_its_staging_folder_goes(shop: Workshop) -> None:
    """An update of the text in between would record it once more, and withdraw the first record."""
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        transaction = await begun(engine, selection)
        await transaction.write()
        with engine.history.deciding(selection, "an editor"):
            assert engine.history._deciding
            await transaction.finish()
            assert on_record(engine) == CHANGES
            assert engine.history._deciding == {}


async def test_what_a_program_writes_to_a_file_that_it_has_open_is_kept(shop: Workshop) -> None:
    """It opened the file before the accept, and writes after the last check: that goes to the replaced file."""
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        with (shop.root / "f.txt").open("ab") as program, engine.history.deciding(selection, "an editor"):
            transaction = await begun(engine, selection)
            await transaction.write()
            program.write(b"saved late\n")
            program.flush()
            await transaction.finish()
        assert files(shop.root) == AFTER
        [notice] = engine.notices.take()
        [copy] = (shop.state / "kept").glob("*/f.txt")
        assert str(copy.parent) in notice
        assert copy.read_bytes() == BEFORE["f.txt"] + b"saved late\n"


async def test_a_file_in_the_place_of_the_staging_folder_is_named(shop: Workshop) -> None:
    async with shop.engine() as engine:
        selection = await chosen(shop, engine)
        (shop.root / STAGING).write_text("mine\n")
        with pytest.raises(MuxError, match=r"\.mux-lsp is no folder, .* Move it away and try again"):
            await begun(engine, selection)
        assert (shop.root / STAGING).read_text() == "mine\n"
