"""Test files that a run renames or copies: found, shown at their text, accepted in whole or in part, with undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS, git
from tests.e2e.lsp.test_file_kinds import on_disk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]

BINARY = bytes(range(256)) * 4
TALL = "".join(f"row {number}\n" for number in range(1, 41))

BEFORE: dict[str, bytes] = {
    "data.bin": BINARY,
    "dir/only.txt": b"the only file of its folder\n" * 9,
    "flat": b"a file that becomes a folder\n" * 9,
    "latin.txt": "Grüße aus Köln\n".encode("latin-1") * 9,
    "moved.bin": BINARY[::-1],
    "secret.txt": b"for few eyes\n" * 9,
    "source.txt": TALL.encode(),
    "tool.sh": b"#!/bin/sh\necho a tool of some length\n" * 9,
    "unmarked.txt": b"without a mark, and rather long\n" * 9,
}

AGENT = r"""
mkdir sub; mv numbers.txt sub/figures.txt; sed -i -e 's/^line 5$/five/' -e 's/^line 15$/fifteen/' sub/figures.txt
mv secret.txt sub/secret.txt; mv data.bin sub/data.bin; mv moved.bin sub/moved.bin; printf '\0' >> sub/moved.bin
mv latin.txt sub/latin.txt; printf 'Sch\366n\n' >> sub/latin.txt; mv tool.sh sub/tool.sh; chmod +x sub/tool.sh
mv dir/only.txt only; rmdir dir; mv only dir; mv flat x; mkdir flat; mv x flat/inside.txt
cp source.txt copy.txt; sed -i 's/^row 7$/row seven/' source.txt; mv link sub/link
mv unmarked.txt sub/marked.txt; sed -i '1s/^/\xef\xbb\xbf/' sub/marked.txt"""

RENAMED = {
    "numbers.txt": "sub/figures.txt", "secret.txt": "sub/secret.txt", "data.bin": "sub/data.bin",
    "moved.bin": "sub/moved.bin", "latin.txt": "sub/latin.txt", "tool.sh": "sub/tool.sh", "dir/only.txt": "dir",
    "flat": "flat/inside.txt", "link": "sub/link", "unmarked.txt": "sub/marked.txt",
}  # fmt: skip

FIGURES = NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")

AFTER: dict[str, tuple[int, bytes]] = {
    "copy.txt": (0o100644, TALL.encode()),
    "dir": (0o100644, BEFORE["dir/only.txt"]),
    "flat/inside.txt": (0o100644, BEFORE["flat"]),
    "source.txt": (0o100644, TALL.replace("row 7\n", "row seven\n").encode()),
    "sub/data.bin": (0o100644, BINARY),
    "sub/figures.txt": (0o100644, FIGURES.encode()),
    "sub/latin.txt": (0o100644, BEFORE["latin.txt"] + b"Sch\xf6n\n"),
    "sub/link": (0o120000, b"numbers.txt"),
    "sub/marked.txt": (0o100644, b"\xef\xbb\xbf" + BEFORE["unmarked.txt"]),
    "sub/moved.bin": (0o100644, BINARY[::-1] + b"\0"),
    "sub/secret.txt": (0o100644, BEFORE["secret.txt"]),
    "sub/tool.sh": (0o100755, BEFORE["tool.sh"]),
}

EDIT = "sed -i -e 's/^line 5$/five/' -e 's/^line 15$/fifteen/' numbers.txt"
RENAME = f"{EDIT}; mkdir sub; mv numbers.txt sub/figures.txt"


@pytest.fixture
def kinds(repository: Path) -> Path:
    for name, content in BEFORE.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_bytes(content)
    (repository / "link").symlink_to("numbers.txt")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "kinds")
    (repository / "secret.txt").chmod(0o600)
    return repository


@pytest.mark.parametrize("able", [{}, {"resources": False}, {"versions": False, "resources": False}, {"apply": False}])
async def test_a_run_is_accepted_whole_whatever_it_renames(join: Join, kinds: Path, able: dict[str, bool]) -> None:
    editor = await join(**able)
    run = (await editor.done(AGENT)).runs[0]
    assert {(file.old_path, file.path) for file in run.files if file.change == "renamed"} == {*RENAMED.items()}
    assert {(file.path, file.change, file.old_path) for file in run.files if file.change != "renamed"} == {
        ("copy.txt", "copied", "source.txt"),
        ("source.txt", "modified", None),
    }
    assert set(await editor.statuses(run=run.id)) == {"pending"}
    result = await editor.accept("run", run=run.id)
    assert result.accepted == len(await editor.review(run=run.id))
    for path in result.files:
        if editor.uri(path) in editor.buffers:
            editor.save(path)
    assert on_disk(kinds) == AFTER
    assert (kinds / "sub" / "secret.txt").stat().st_mode & 0o777 == 0o600
    assert set(await editor.statuses(run=run.id)) == {"applied"}
    moved = [
        step for edit in editor.edits for step in edit.document_changes or () if isinstance(step, types.RenameFile)
    ]
    # LSP carries text only, without modes; the daemon makes a move that must first clear its target.
    assert [step.new_uri for step in moved] == (
        [editor.uri(path) for path in ("sub/figures.txt", "sub/secret.txt")] if able == {} else []
    )


@pytest.mark.parametrize("able", [{}, {"apply": False}])
async def test_a_run_is_not_accepted_at_all_where_one_rename_cannot_be(
    join: Join, kinds: Path, able: dict[str, bool]
) -> None:
    editor = await join(**able)
    run = (await editor.done(AGENT)).runs[0]
    (kinds / "sub").mkdir()
    (kinds / "sub" / "data.bin").write_bytes(b"\0mine")
    (kinds / "flat").unlink()
    before = on_disk(kinds)
    with pytest.raises(Refused) as refused:
        await editor.accept("run", run=run.id)
    assert refused.value.kind == "conflict"
    assert refused.value.message == (
        "Nothing was written, because of a conflict in "
        "flat: the file is not there any more: it was deleted or renamed here; "
        "data.bin: a file named sub/data.bin is here already."
    )
    assert (on_disk(kinds), editor.edits, editor.buffers) == (before, [], {})


async def test_what_makes_way_is_put_back_where_the_editor_refuses_the_rest(editor: Editor, kinds: Path) -> None:
    run = (await editor.done(AGENT)).runs[0]
    before = on_disk(kinds)
    editor.refuse_edits = JsonRpcException("not now", -32803)
    with pytest.raises(Refused, match="refused the edit"):
        await editor.accept("run", run=run.id)
    assert on_disk(kinds) == before
    assert (kinds / "secret.txt").stat().st_mode & 0o777 == 0o600


async def test_a_folder_with_something_of_the_persons_makes_no_way(editor: Editor, kinds: Path) -> None:
    run = (await editor.done(AGENT)).runs[0]
    (kinds / "dir" / "mine.txt").write_text("mine\n")
    before = on_disk(kinds)
    for what, argument in (("file", {"path": "dir"}), ("run", {})):
        with pytest.raises(Refused, match=r"dir is a folder here, and dir/mine.txt in it stays") as refused:
            await editor.accept(what, run=run.id, **argument)
        assert refused.value.kind == "conflict"
        assert (on_disk(kinds), editor.edits) == (before, [])


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_rename_with_edits_is_one_step_of_the_editor_and_can_be_undone(
    editor: Editor, repository: Path, is_open: bool
) -> None:
    if is_open:
        editor.open("numbers.txt")
        editor.insert("numbers.txt", "line 1\n", "my own\n")
    run = (await editor.done(RENAME)).runs[0]
    if is_open:
        editor.insert("numbers.txt", "line 20\n", "since\n")
    typed = editor.text("numbers.txt")
    result = await editor.accept("run", run=run.id)
    assert (result.accepted, result.files) == (3, ["sub/figures.txt"])
    (edit,) = editor.edits
    assert [type(step).__name__ for step in edit.document_changes or ()] == ["TextDocumentEdit", "RenameFile"]
    after = typed.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")
    assert editor.text("sub/figures.txt") == after
    assert not (repository / "numbers.txt").exists()
    assert await editor.statuses("sub/figures.txt") == ["applied"] * 3
    assert await editor.statuses("numbers.txt") == []
    editor.undo()
    assert editor.text("numbers.txt") == typed
    assert on_disk(repository) == {"numbers.txt": (0o100644, NUMBERS.encode())}
    assert await editor.statuses("numbers.txt") == ["pending"] * 3
    await editor.accept("run", run=run.id)
    assert editor.text("sub/figures.txt") == after


async def test_a_rename_is_shown_where_the_text_is(editor: Editor, repository: Path) -> None:
    uri = editor.open("numbers.txt")
    await editor.done(RENAME)
    found = await editor.shown(uri, lambda found: len(found) == 3)
    assert ["rename to sub/figures.txt" in one.message for one in found] == [True, False, False]
    assert [one.range.start.line for one in found] == [0, 4, 14]
    first, *_ = await editor.review("numbers.txt")
    assert (first.path, first.old_path, first.uri) == ("sub/figures.txt", "numbers.txt", uri)
    # The person renames the file: its hunks follow it, and the rename counts as applied.
    (repository / "sub").mkdir()
    editor._move(uri, editor.uri("sub/figures.txt"))
    found = await editor.shown(editor.uri("sub/figures.txt"), lambda found: len(found) == 2)
    assert [one.range.start.line for one in found] == [4, 14]
    await editor.shown(uri, lambda found: not found)
    (action, *_) = await editor.actions("sub/figures.txt", 4, "quickfix.mux.accept")
    resolved = await editor.resolve(action)
    assert resolved.edit is not None
    assert editor.apply(resolved.edit) is None
    assert await editor.statuses("sub/figures.txt") == ["applied", "pending", "applied"]
    assert editor.text("sub/figures.txt") == NUMBERS.replace("line 5\n", "five\n")


async def test_hunks_are_taken_without_the_rename_and_the_rename_without_hunks(
    editor: Editor, repository: Path
) -> None:
    editor.open("numbers.txt")
    run = (await editor.done(RENAME)).runs[0]
    first, second, rename = await editor.review("numbers.txt")
    assert (first.hunk is None, rename.hunk) == (False, None)
    assert (await editor.accept("hunk", run=run.id, hunks=[first.hunk])).files == ["numbers.txt"]
    assert editor.text("numbers.txt") == NUMBERS.replace("line 5\n", "five\n")
    editor.insert("numbers.txt", "line 10\n", "typed since\n")
    await editor.reject("hunk", run=run.id, hunks=[second.hunk])
    assert await editor.statuses("numbers.txt") == ["applied", "rejected", "pending"]
    # Its old name works too.
    assert (await editor.accept("file", run=run.id, path="numbers.txt")).files == ["sub/figures.txt"]
    assert editor.text("sub/figures.txt") == NUMBERS.replace("line 5\n", "five\n").replace(
        "line 10\n", "typed since\nline 10\n"
    )
    assert (repository / "sub" / "figures.txt").read_text() == NUMBERS
    assert await editor.statuses("sub/figures.txt") == ["applied", "rejected", "applied"]


async def test_runs_that_make_the_same_edit_agree_wherever_they_move_the_file(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(RENAME, EDIT, f"{EDIT}; mv numbers.txt other.txt")
    items = await editor.review("numbers.txt")
    hunks = {run.id: [item.hunk for item in items if item.run == run.id and item.hunk] for run in task.runs}
    assert len(set(map(tuple, hunks.values()))) == 1
    assert len(next(iter(hunks.values()))) == 2
    compared = await editor.command("mux.task.compare", protocol.TaskCompareResult, task=task.id)
    assert compared.equal == []
    (file,) = compared.files
    assert (file.path, file.runs) == ("numbers.txt", [run.id for run in task.runs])
    assert [len(runs) for runs in file.hunks.values()] == [3, 3]
    assert file.renamed == {"sub/figures.txt": [task.runs[0].id], "other.txt": [task.runs[2].id]}


async def test_a_rename_takes_nothing_that_is_unsaved_elsewhere(join: Join, repository: Path) -> None:
    editor, other = await join("mine"), await join("the other one")
    run = (await editor.done("mv numbers.txt figures.txt")).runs[0]
    other.open("numbers.txt", "unsaved\n")
    # The answer shows that its text has reached the daemon.
    await other.review("numbers.txt")
    with pytest.raises(Refused, match=r"numbers\.txt has unsaved changes in the other one") as refused:
        await editor.accept("run", run=run.id)
    assert refused.value.kind == "conflict"
    assert (on_disk(repository), editor.edits) == ({"numbers.txt": (0o100644, NUMBERS.encode())}, [])


async def test_an_editor_that_cannot_rename_saves_first(join: Join, repository: Path) -> None:
    editor = await join(resources=False)
    editor.open("numbers.txt", "unsaved\n" + NUMBERS)
    run = (await editor.done("mv numbers.txt figures.txt")).runs[0]
    with pytest.raises(Refused, match=r"numbers.txt is open with unsaved changes: save it first") as refused:
        await editor.accept("run", run=run.id)
    assert refused.value.kind == "conflict"
    assert on_disk(repository) == {"numbers.txt": (0o100644, NUMBERS.encode())}
    editor.save("numbers.txt")
    await editor.accept("run", run=run.id)
    assert on_disk(repository) == {"figures.txt": (0o100644, b"unsaved\n" + NUMBERS.encode())}
    # It still has the removed file open.
    assert (await editor.statuses(run=run.id), await editor.statuses("numbers.txt")) == (["applied"], [])


async def test_a_patch_of_a_rename_is_what_git_apply_takes(editor: Editor, repository: Path) -> None:
    run = (await editor.done(f"{RENAME}; cp sub/figures.txt copy.txt")).runs[0]
    for paths in ([], ["numbers.txt"], ["sub/figures.txt"]):
        found = await editor.command("mux.run.diff", protocol.RunDiffResult, run=run.id, paths=paths)
        assert "rename from numbers.txt" in found.patch
        git(repository, "apply", "--check", "-", input=found.patch)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_a_text_of_odd_characters_is_moved_and_edited_to_the_unit(
    join: Join, repository: Path, encoding: str
) -> None:
    lines = ["😀 one", "", "e\u0301 two", "", "three \U0001d4b3", "four", "", "the last e\u0301😀"]
    (repository / "faces.txt").write_text("\n".join(lines), encoding="utf-8")
    editor = await join(encodings=[encoding])
    editor.open("faces.txt")
    run = (await editor.done(r"sed -i -e '3s/.*/zwei/' -e '8s/.*/ende/' faces.txt; mv faces.txt gesichter.txt")).runs[0]
    # A lone surrogate, which some editors allow, and combining marks.
    editor.insert("faces.txt", "three", "\ud83d half 😀 ")
    editor.insert("faces.txt", " one", "\u0301\U0001f3fd")
    typed = editor.text("faces.txt")
    await editor.accept("run", run=run.id)
    assert editor.text("gesichter.txt") == typed.replace(lines[2], "zwei").replace(lines[7], "ende")
    assert not (repository / "faces.txt").exists()
    editor.undo()
    assert editor.text("faces.txt") == typed
    assert set(await editor.statuses("faces.txt")) == {"pending"}
