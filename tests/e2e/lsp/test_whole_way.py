"""Test the way from a prompt to accepted hunks in the live text, and back."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.lsp import protocol
from tests.e2e.lsp.conftest import NUMBERS, git

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

EDIT = "sed -i -e 's/^line 3$/three/' -e 's/^line 12$/twelve/' numbers.txt"
"""An agent that changes two places of a file."""


def fingerprint(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return the mode, time and content of every file below a folder."""
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def spans(found: list[types.Diagnostic]) -> list[tuple[int, int]]:
    return [(one.range.start.line, one.range.end.line) for one in found]


async def begin(editor: Editor, repository: Path) -> protocol.TaskShape:
    """Start a task of three runs on a tree with changes of every kind, and with an unsaved buffer."""
    (repository / "staged.txt").write_text("staged\n")
    git(repository, "add", "staged.txt")
    (repository / "untracked.txt").write_text("untracked\n")
    (repository / "numbers.txt").write_text("on disk\n" + NUMBERS)
    editor.open("numbers.txt")
    editor.insert("numbers.txt", "line 1\n", "unsaved\n")
    return await editor.done(
        f"{EDIT}; cat numbers.txt staged.txt untracked.txt",
        f"{EDIT}; echo more >> untracked.txt",
        "sed -i 's/^line 12$/a dozen/' numbers.txt",
        checks=["grep -q twelve numbers.txt"],
    )


async def test_agents_see_what_the_person_sees_and_the_person_what_they_made(editor: Editor, repository: Path) -> None:
    task = await begin(editor, repository)
    one, two, _ = task.runs
    assert [(run.checks[0].state, run.checks[0].exit_status) for run in task.runs] == [
        ("passed", 0),
        ("passed", 0),
        ("failed", 1),
    ]
    assert [(file.path, file.change, file.added, file.removed) for file in two.files] == [
        ("numbers.txt", "modified", 2, 2),
        ("untracked.txt", "modified", 1, 0),
    ]
    log = await editor.command("mux.run.log", protocol.RunLogResult, run=one.id)
    assert log.text.startswith("on disk\nunsaved\nline 1\nline 2\nthree\n")
    assert log.text.endswith("staged\nuntracked\n")

    # The display: in lines of the buffer, which has two lines more than the commit.
    found = await editor.shown(editor.uri("numbers.txt"), lambda found: len(found) == 2)
    assert spans(found) == [(4, 5), (13, 14)]
    assert {one.severity for one in found} == {types.DiagnosticSeverity.Hint}
    assert found[0].message == f"+1 −1 · {one.id} · 2/3 agree"  # noqa: RUF001  a minus sign
    assert found[1].message == f"+1 −1 · {one.id} · 2 variants · 2/3 agree"  # noqa: RUF001
    assert await editor.lens_titles("numbers.txt") == {
        4: [f"+1 −1 · {one.id} · 2/3 agree", "Accept", "Reject"],  # noqa: RUF001
        13: [f"+1 −1 · {one.id} · 2 variants · 2/3 agree", "Accept", "Next", "Reject"],  # noqa: RUF001
    }
    hover = await editor.hover("numbers.txt", 4)
    assert "```diff\n" in hover
    assert "-line 3\n+three\n" in hover
    assert await editor.hover("numbers.txt", 8) == ""


async def test_hunks_land_in_the_live_text_and_can_be_taken_back_rejected_and_wanted_after_all(
    editor: Editor, repository: Path
) -> None:
    task = await begin(editor, repository)
    before = fingerprint(repository / ".git")
    one, two, _ = task.runs
    uri = editor.uri("numbers.txt")
    found = await editor.shown(uri, lambda found: len(found) == 2)

    # One hunk by the edit of a code action, resolved when it is chosen. Of agreeing runs one is offered: for the hunk,
    # and for the file and the result if those are equal.
    action, *others = await editor.actions("numbers.txt", 4)
    assert [(other.kind, other.title) for other in others] == [
        ("quickfix.mux.reject", f"Reject +1 −1 from {one.id} (2/3 agree)"),  # noqa: RUF001  a minus sign
        ("refactor.rewrite.mux.file", f"Accept all of {one.id} (= {two.id}) in this file"),
        ("refactor.rewrite.mux.run", f"Accept all of {one.id}"),
        ("refactor.rewrite.mux.run", f"Accept all of {two.id}"),
    ]
    assert action.kind == "quickfix.mux.accept"
    assert (action.edit, action.command, action.is_preferred) == (None, None, True)
    assert list(action.diagnostics or ()) == [found[0]]
    resolved = await editor.resolve(action)
    assert resolved.edit is not None
    assert resolved.edit.document_changes is not None
    (change,) = resolved.edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document == types.OptionalVersionedTextDocumentIdentifier(uri, editor.buffers[uri].version)
    before_accept = editor.text("numbers.txt")
    assert editor.apply(resolved.edit) is None
    assert editor.text("numbers.txt") == before_accept.replace("line 3\n", "three\n")

    # It reads as applied because the text has it; undo makes it pending again.
    await editor.shown(uri, lambda found: spans(found) == [(13, 14)])
    assert await editor.statuses("numbers.txt", one.id) == ["applied", "pending"]
    editor.insert("numbers.txt", "", "line 3\n", replacing="three\n")
    await editor.shown(uri, lambda found: spans(found) == [(4, 5), (13, 14)])
    assert await editor.statuses("numbers.txt", one.id) == ["pending", "pending"]

    # Reject for all runs with this hunk, and then accept it after all.
    await editor.click("numbers.txt", 4, "Reject")
    await editor.shown(uri, lambda found: spans(found) == [(13, 14)])
    assert list(await editor.lens_titles("numbers.txt")) == [13]
    assert await editor.statuses("numbers.txt", one.id) == ["rejected", "pending"]
    assert await editor.statuses("numbers.txt", two.id) == ["rejected", "pending"]
    hunk = (await editor.review("numbers.txt", two.id))[0].hunk
    assert hunk is not None
    result = await editor.accept("hunk", run=two.id, hunks=[hunk])
    assert (result.accepted, result.already, result.files) == (1, 0, ["numbers.txt"])
    assert await editor.statuses("numbers.txt", two.id) == ["applied", "pending"]
    editor.insert("numbers.txt", "", "line 3\n", replacing="three\n")
    assert await editor.statuses("numbers.txt", two.id) == ["pending", "pending"]

    # Accept the rest, and nothing twice. The daemon never saved the buffer, and `.git` is unchanged.
    result = await editor.accept("run", run=two.id)
    assert (result.accepted, result.already, result.files) == (3, 0, ["numbers.txt", "untracked.txt"])
    result = await editor.accept("run", run=two.id)
    assert (result.accepted, result.already, result.files) == (0, 3, [])
    expected = "on disk\nunsaved\n" + NUMBERS.replace("line 3\n", "three\n").replace("line 12\n", "twelve\n")
    assert editor.text("numbers.txt") == expected
    assert editor.text("untracked.txt") == "untracked\nmore\n"
    assert (repository / "numbers.txt").read_text() == "on disk\n" + NUMBERS
    assert fingerprint(repository / ".git") == before


async def test_file_and_run_are_accepted_by_their_actions_and_only_that(editor: Editor, repository: Path) -> None:
    (repository / "other.txt").write_text(NUMBERS)
    editor.open("numbers.txt")
    task = await editor.done(f"{EDIT}; sed -i 's/line 1$/one/' other.txt")
    await editor.shown(editor.uri("numbers.txt"), lambda found: len(found) == 2)
    (file_action,) = await editor.actions("numbers.txt", 2, "refactor.rewrite.mux.file")
    await editor.carry_out(file_action.command)
    assert "three\n" in editor.text("numbers.txt")
    assert "twelve\n" in editor.text("numbers.txt")
    assert editor.text("other.txt") == NUMBERS
    editor.open("other.txt")
    await editor.shown(editor.uri("other.txt"), lambda found: len(found) == 1)
    (run_action,) = await editor.actions("other.txt", 0, "refactor.rewrite.mux.run")
    answer = await editor.carry_out(run_action.command)
    nothing = {"instead_of": [], "marked": 0, "rejected": 0, "kept": None}
    assert answer == {"accepted": 1, "already": 2, **nothing, "files": ["other.txt"]}
    assert editor.text("other.txt").startswith("one\n")
    assert await editor.statuses(run=task.runs[0].id) == ["applied", "applied", "applied"]


async def test_every_kind_of_action_can_be_asked_for_by_itself(editor: Editor) -> None:
    editor.open("numbers.txt")
    await editor.done(EDIT)
    for asked, kinds in {
        "quickfix": ["quickfix.mux.accept", "quickfix.mux.reject"],
        "quickfix.mux.reject": ["quickfix.mux.reject"],
        "refactor": ["refactor.rewrite.mux.file", "refactor.rewrite.mux.run"],
        "source": [],
        "quick": [],
    }.items():
        assert [action.kind for action in await editor.actions("numbers.txt", 2, asked)] == kinds


async def test_a_client_that_cannot_resolve_gets_commands(join: Callable[..., Awaitable[Editor]]) -> None:
    for able in ({"resolve": False}, {"versions": False, "resources": False}):
        plain = await join(**able)
        plain.open("numbers.txt")
        await plain.done(EDIT)
        action = (await plain.actions("numbers.txt", 11))[0]
        assert action.edit is None
        assert action.command is not None
        await plain.carry_out(action.command)
        assert plain.text("numbers.txt") == NUMBERS.replace("line 12\n", "twelve\n")
        (edit,) = plain.edits
        assert (edit.document_changes is None) == ("versions" in able)
        assert (edit.change_annotations is None) == ("versions" in able)
        await plain.reject("run", run=max(plain.runs))


async def test_a_client_of_before_code_actions_gets_plain_commands(join: Callable[..., Awaitable[Editor]]) -> None:
    old = await join(literals=False)
    old.open("numbers.txt")
    await old.done(EDIT)
    accept, *_ = await old.menu("numbers.txt", 11)
    assert isinstance(accept["command"], str)
    assert accept["title"].startswith("Accept +1 ")
    await old.execute(accept["command"], accept["arguments"])
    assert old.text("numbers.txt") == NUMBERS.replace("line 12\n", "twelve\n")


async def test_a_client_that_knows_nothing_of_mux_reviews_all_the_same(join: Callable[..., Awaitable[Editor]]) -> None:
    plain = await join(options={})
    other = await join("other")
    uri = plain.open("numbers.txt")
    task = await other.done(EDIT)
    await plain.shown(uri, lambda found: len(found) == 2)
    assert len(await plain.lenses("numbers.txt")) == 6
    assert plain.told == []
    await plain.click("numbers.txt", 2, "Accept")
    assert plain.text("numbers.txt") == NUMBERS.replace("line 3\n", "three\n")
    await other.ended(task.id)


async def test_lenses_are_asked_for_anew_when_there_is_something_to_see(editor: Editor) -> None:
    editor.open("numbers.txt")
    await editor.done(EDIT)
    await editor.until(lambda: editor.lens_refreshes)
    changed = await editor.until(lambda: editor.told_of(protocol.ReviewChangedParams))
    assert changed[0].uris == [editor.uri("numbers.txt")]


async def test_hunks_are_there_while_the_run_still_works(editor: Editor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    uri = editor.open("numbers.txt")
    task = await editor.start("do it", f"{EDIT}; cat {gate}; sed -i 's/^line 20$/twenty/' numbers.txt")
    run = task.runs[0].id
    try:
        found = await editor.shown(uri, lambda found: len(found) == 2)
        assert spans(found) == [(2, 3), (11, 12)]
        assert editor.runs[run].state == "running"
        assert editor.runs[run].hunks == 2
        hunk = (await editor.review("numbers.txt"))[0].hunk
        await editor.accept("hunk", run=run, hunks=[hunk])
        assert "three\n" in editor.text("numbers.txt")
    finally:
        await asyncio.to_thread(gate.write_bytes, b"")
    await editor.ended(task.id)
    assert await editor.statuses("numbers.txt") == ["applied", "pending", "pending"]


async def test_what_an_agent_takes_back_is_gone(editor: Editor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    uri = editor.open("numbers.txt")
    task = await editor.start("do it", f"cp numbers.txt old; {EDIT}; cat {gate}; mv old numbers.txt")
    try:
        await editor.shown(uri, lambda found: len(found) == 2)
    finally:
        await asyncio.to_thread(gate.write_bytes, b"")
    await editor.ended(task.id)
    await editor.shown(uri, lambda found: not found)
    assert await editor.lenses("numbers.txt") == []


async def test_an_added_last_line_can_be_reached_from_the_last_line_there_is(editor: Editor) -> None:
    """This serves editors whose cursor cannot be placed after the last line end."""
    uri = editor.open("numbers.txt")
    await editor.done("echo line 21 >> numbers.txt")
    await editor.shown(uri, lambda found: len(found) == 1)
    assert "+line 21" in await editor.hover("numbers.txt", 19)
    action = (await editor.actions("numbers.txt", 19, "quickfix.mux.accept"))[0]
    resolved = await editor.resolve(action)
    assert resolved.edit is not None
    assert editor.apply(resolved.edit) is None
    assert editor.text("numbers.txt") == NUMBERS + "line 21\n"
    assert await editor.statuses("numbers.txt") == ["applied"]


async def test_not_a_byte_of_git_changes(editor: Editor, repository: Path) -> None:
    (repository / "numbers.txt").write_text("on disk\n" + NUMBERS)
    before = fingerprint(repository / ".git")
    editor.open("numbers.txt", "unsaved\n" + NUMBERS)
    task = await editor.done("git commit -qam theirs; git stash -q; git branch theirs; echo x >> numbers.txt")
    await editor.accept("run", run=task.runs[0].id)
    editor.save("numbers.txt")
    await editor.command("mux.task.delete", protocol.DeleteResult, id=task.id)
    assert fingerprint(repository / ".git") == before
