"""Test pick, discard and restore, as clients see them."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pygls.exceptions import JsonRpcException

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS
from tests.e2e.lsp.menus import CINQ, FIVE, titles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]

BOTH = NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")


async def discard(editor: Editor, id_: str, *keep: str) -> protocol.DiscardResult:
    return await editor.command("mux.task.discard", protocol.DiscardResult, id=id_, keep=list(keep))


async def restore(editor: Editor, id_: str) -> list[str]:
    return (await editor.command("mux.task.restore", protocol.RestoreResult, id=id_)).restored


async def pick(editor: Editor, run: str, **more: Any) -> protocol.PickResult:
    return await editor.command("mux.run.pick", protocol.PickResult, run=run, **more)


async def thrown_away(editor: Editor, task: str) -> list[bool]:
    answer = await editor.command("mux.task.get", protocol.TaskResult, task=task)
    return [run.discarded is not None for run in answer.task.runs]


def ranks(editor: Editor, task: str) -> list[int | None]:
    """Return the ranks of a task's runs that the client was sent."""
    return [run.rank for run in editor.tasks[task].runs]


async def test_two_clients_see_a_discard_at_once_and_what_comes_back(join: Join) -> None:
    one, two = await join("one"), await join("two")
    uri = one.open("numbers.txt")
    two.open("numbers.txt")
    task = await one.done(FIVE, CINQ)
    first, second = (run.id for run in task.runs)
    for editor in (one, two):
        await editor.until(lambda editor=editor: None not in ranks(editor, task.id))  # type: ignore[misc]
    ranked = ranks(two, task.id)
    before = {editor: await editor.lens_titles("numbers.txt") for editor in (one, two)}
    menu = titles(await two.actions("numbers.txt", 4))
    assert "2 variants" in before[two][4][0]

    answer = await discard(one, second)
    assert answer.discarded == [second]
    for editor in (one, two):
        # The task's notification has it, and the diagnostics disappear by themselves.
        await editor.until(lambda editor=editor: editor.runs[second].discarded is not None)  # type: ignore[misc]
        assert editor.runs[second].kept_until == answer.kept_until
        await editor.shown(uri, lambda found: len(found) == 2 and not any("cinq" in one.message for one in found))
        shown = await editor.lens_titles("numbers.txt")
        assert shown[4][0].startswith(f"+1 −1 · {first}")  # noqa: RUF001  a minus sign
        assert "agree" not in shown[4][0]
        assert not any(second in title for title in titles(await editor.actions("numbers.txt", 4)))
        assert await editor.statuses("numbers.txt") == ["pending", "pending"]
        assert await editor.review(run=second) == []
    await one.accept("run", run=first)
    await discard(two, first)
    assert await one.lenses("numbers.txt") == []
    assert one.text("numbers.txt") == BOTH

    assert await restore(two, task.id) == [first, second]
    await two.until(lambda: ranks(two, task.id) == ranked)
    await two.shown(uri, bool)
    assert await two.lens_titles("numbers.txt") == before[two]
    assert titles(await two.actions("numbers.txt", 4)) == menu
    assert await one.statuses("numbers.txt", first) == ["applied", "applied"]
    # The record of an acceptance stays as it was.
    found = await one.command("mux.history.list", protocol.HistoryListResult, uri=uri)
    assert [(each.run, each.withdrawn) for each in found.acceptances] == [(first, None)] * 2


async def test_pick_is_one_edit_that_undo_takes_back(editor: Editor, repository: Path) -> None:
    editor.open("numbers.txt")
    (repository / "other.txt").write_text("other\n")
    editor.open("other.txt")
    task = await editor.done(f"{FIVE}; echo more >> other.txt", CINQ, CINQ)
    first, *rest = (run.id for run in task.runs)
    editor.insert("numbers.txt", "line 1\n", "zero\n")
    answer = await pick(editor, first)
    assert (answer.accepted, answer.files, answer.discarded) == (3, ["numbers.txt", "other.txt"], rest)
    assert len(editor.edits) == 1
    assert editor.text("numbers.txt") == f"zero\n{BOTH}"
    assert await thrown_away(editor, task.id) == [False, True, True]
    assert (repository / "numbers.txt").read_text() == NUMBERS  # saving is up to the editor
    editor.undo()
    assert editor.text("numbers.txt") == f"zero\n{NUMBERS}"
    assert editor.text("other.txt") == "other\n"
    assert await editor.statuses("numbers.txt") == ["pending", "pending"]
    # Discarded runs stay discarded until they are restored: undo applies to texts.
    assert await thrown_away(editor, task.id) == [False, True, True]
    assert await restore(editor, task.id) == rest


async def test_pick_writes_nothing_where_it_refuses(editor: Editor, repository: Path) -> None:
    editor.open("numbers.txt")
    task = await editor.done(f"{FIVE}; printf '\\000' > made.bin", CINQ)
    first, second = (run.id for run in task.runs)
    editor.insert("numbers.txt", "line 5\n", "my own ")
    typed = editor.text("numbers.txt")
    hunks = [item.hunk for item in await editor.review("numbers.txt", first)]
    await editor.reject("hunk", run=first, hunks=hunks[1:])
    with pytest.raises(Refused) as refused:
        await pick(editor, first)
    assert refused.value.kind == "conflict"
    assert "numbers.txt:5: line 5 was changed here too" in refused.value.message
    assert "You rejected numbers.txt:15" in refused.value.message
    assert refused.value.message.endswith(f"{first} was not picked, and nothing was discarded.")
    assert (editor.text("numbers.txt"), editor.edits) == (typed, [])
    assert not (repository / "made.bin").exists()

    # The same if the editor itself refuses: then the daemon undoes what it has written.
    editor.retype("numbers.txt", NUMBERS)
    await editor.accept("hunk", run=first, hunks=hunks[1:])
    editor.refuse_edits = JsonRpcException("not now", -32803)
    with pytest.raises(Refused) as refused:
        await pick(editor, first)
    assert "refused the edit" in refused.value.message
    assert not (repository / "made.bin").exists()
    assert await thrown_away(editor, task.id) == [False, False]
    editor.refuse_edits = None
    assert (await pick(editor, first)).discarded == [second]
    assert (repository / "made.bin").exists()


async def test_which_runs_cannot_be_picked(editor: Editor, tmp_path: Path) -> None:
    task = await editor.done("true", CINQ)
    nothing, cinq = (run.id for run in task.runs)
    await discard(editor, cinq)
    at_work = (await editor.start("do it", "sleep 1000")).runs[0].id
    for run, said in (
        (nothing, f"{nothing} changes nothing, so there is nothing to pick; `mux-lsp discard` throws runs away."),
        (cinq, f"{cinq} is discarded; `mux-lsp restore {cinq}` brings it back."),
    ):
        with pytest.raises(Refused) as refused:
            await pick(editor, run)
        assert (refused.value.kind, refused.value.message) == ("usage", said)
    with pytest.raises(Refused, match=f"{at_work} is still .*: pick takes a run that has ended"):
        await pick(editor, at_work)
    # A run discarded at work has ended when the answer comes, and its worktree is free.
    await discard(editor, at_work)
    shape = (await editor.command("mux.run.get", protocol.RunResult, run=at_work)).run
    assert (shape.state, shape.worktree) == ("cancelled", None)


async def test_nobody_decides_about_what_was_thrown_away(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, CINQ)
    first, second = (run.id for run in task.runs)
    five = (await editor.review("numbers.txt", first))[0].hunk
    await discard(editor, first)
    said = f"{first} is discarded; `mux-lsp restore {first}` brings it back."
    for command, argument in (
        ("mux.hunk.accept", {"hunks": [five]}),
        ("mux.file.accept", {"path": "numbers.txt"}),
        ("mux.run.accept", {}),
        ("mux.hunk.reject", {"hunks": [five]}),
        ("mux.run.reject", {}),
        ("mux.run.continue", {"message": "x"}),
        ("mux.run.retry", {}),
        ("mux.document.get", None),
    ):
        wanted = {"uri": f"mux:/pending/{first}/numbers.txt"} if argument is None else {"run": first, **argument}
        with pytest.raises(Refused) as refused:
            await editor.execute(command, [wanted])
        assert (refused.value.kind, refused.value.message) == ("usage", said), command
    # Its files and its place in the comparison can still be read.
    document = await editor.command("mux.document.get", protocol.DocumentResult, uri=f"mux:/run/{first}/numbers.txt")
    assert document.text == BOTH
    compared = await editor.command("mux.task.compare", protocol.TaskCompareResult, task=task.id)
    assert [file.runs for file in compared.files] == [[second]]
    page = await editor.command("mux.document.get", protocol.DocumentResult, uri=f"mux:/compare/{task.id}.md")
    assert "+ cinq" in page.text
    assert "+ five" not in page.text


async def test_instead_takes_nothing_out_for_what_was_thrown_away(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, CINQ)
    first, second = (run.id for run in task.runs)
    await editor.accept("run", run=first)
    assert (await editor.review("numbers.txt", second))[0].resolutions == ["instead", "take", "mark"]
    await discard(editor, first)
    (cinq,) = await editor.review("numbers.txt", second)
    assert (cinq.status, cinq.resolutions) == ("conflict", ["take", "mark"])
    await restore(editor, first)
    assert (await editor.review("numbers.txt", second))[0].resolutions == ["instead", "take", "mark"]


async def test_what_was_looked_at_is_what_is_accepted(editor: Editor, repository: Path) -> None:
    task = await editor.done(f"cat $MUX_PROMPT_FILE | sh; {FIVE}; echo made > made.txt")
    run = task.runs[0].id
    looked = (await editor.command("mux.run.get", protocol.RunResult, run=run)).run.result
    await editor.command("mux.run.continue", protocol.RunResult, run=run, message="echo again > again.txt")
    await editor.ended(run)
    for command, argument in (
        ("mux.run.accept", {}),
        ("mux.run.pick", {}),
        ("mux.run.accept", {"paths": ["again.txt"]}),
        ("mux.file.accept", {"path": "again.txt"}),
    ):
        with pytest.raises(Refused) as refused:
            await editor.execute(command, [{"run": run, "result": looked, **argument}])
        assert refused.value.kind == "conflict"
        assert refused.value.message.startswith(
            f"{run} has gone on since you looked, and again.txt is different now: look again. Nothing was written."
        ), command
    assert not (repository / "again.txt").exists()
    # An unchanged file is still the one that was reviewed.
    assert (await editor.accept("file", run=run, path="made.txt", result=looked)).accepted == 1
    now = (await editor.command("mux.run.get", protocol.RunResult, run=run)).run.result
    assert now != looked
    assert (await editor.accept("run", run=run, result=now)).accepted == 3
    with pytest.raises(Refused, match=f"{run} never had the result {'0' * 40}"):
        await editor.accept("run", run=run, result="0" * 40)
    with pytest.raises(Refused, match="result: string should match pattern"):
        await editor.accept("run", run=run, result="--output=/tmp/x")


async def test_a_menu_that_is_older_than_the_result_is_noticed(editor: Editor, repository: Path) -> None:
    editor.open("numbers.txt")
    task = await editor.done(f"cat $MUX_PROMPT_FILE | sh; {FIVE}")
    run = task.runs[0].id
    menu = [one for one in await editor.actions("numbers.txt", 4) if one.title.startswith(f"Accept all of {run}")]
    assert [one.title for one in menu] == [f"Accept all of {run} in this file", f"Accept all of {run}"]
    await editor.command("mux.run.continue", protocol.RunResult, run=run, message="echo more > more.txt")
    await editor.ended(run)
    in_file, whole = (one.command for one in menu)
    assert whole is not None
    assert in_file is not None
    with pytest.raises(Refused, match=r"has gone on since you looked, and more\.txt is different now: look again"):
        await editor.execute(whole.command, list(whole.arguments or ()))
    assert not (repository / "more.txt").exists()
    await editor.execute(in_file.command, list(in_file.arguments or ()))
    assert editor.text("numbers.txt") == BOTH


async def test_an_agent_decides_about_no_runs_but_those_that_it_has_started(editor: Editor, repository: Path) -> None:
    mux = f"{shlex.quote(sys.executable)} -P -m mux_lsp"
    rivals = (await editor.done(FIVE)).id
    commands = {
        f"discard {rivals}": rivals,
        f"restore {rivals}": rivals,
        f"pick {rivals}-1": f"{rivals}-1",
        f"accept {rivals}-1": f"{rivals}-1",
        f"reject {rivals}-1": f"{rivals}-1",
        f"continue {rivals}-1 on": f"{rivals}-1",
        f"pause {rivals}": rivals,
        f"cancel {rivals}-1": f"{rivals}-1",
        f"delete {rivals}": rivals,
    }
    refused = "; ".join(f"{mux} {command}" for command in commands)
    run = (await editor.done(f"{refused}; {mux} run x -a 'sh:echo x > x' --no-wait")).runs[0].id
    own = await editor.until(lambda: next((task.id for task in editor.tasks.values() if task.parent == run), None))
    answer = await editor.command("mux.run.log", protocol.RunLogResult, run=run, stream="stderr")
    assert answer.text.splitlines() == [
        f"Only a person can decide about {named}, and this was started by {run}." for named in commands.values()
    ]
    assert await thrown_away(editor, rivals) == [False]
    assert (repository / "numbers.txt").read_text() == NUMBERS
    await editor.ended(own)


async def test_an_agent_accepts_what_its_own_agents_made_in_its_worktree_and_nowhere_else(
    editor: Editor, repository: Path
) -> None:
    mux = f"{shlex.quote(sys.executable)} -P -m mux_lsp"
    has = f"{mux} run x -a 'sh:echo theirs > theirs.txt' --json | sed -n 's/.*\"id\": *\"\\([a-z0-9]*-1\\)\".*/\\1/p'"
    here = f"{mux} accept $({has} | head -n 1)"
    there = f"cd {shlex.quote(str(repository))} && {here}"
    run = (await editor.done(f"({there}); {here}")).runs[0]
    answer = await editor.command("mux.run.log", protocol.RunLogResult, run=run.id, stream="stderr")
    assert answer.text.splitlines() == [
        f"Only a person can accept changes outside the worktree of {run.id}, which started this."
    ]
    assert [file.path for file in run.files] == ["theirs.txt"]
    assert not (repository / "theirs.txt").exists()


async def test_what_is_open_of_a_discarded_run_follows(join: Join) -> None:
    editor = await join(content=True)
    editor.open("numbers.txt")
    task = await editor.done(FIVE, CINQ)
    first = task.runs[0].id
    pages = [f"mux:/compare/{task.id}.md", f"mux:/pending/{first}/numbers.txt", f"mux:/run/{first}/numbers.txt"]

    async def shown(uri: str) -> str:
        return (await editor.command("mux.document.get", protocol.DocumentResult, uri=uri)).text

    before = [await shown(uri) for uri in pages]
    editor.refreshed.clear()
    await discard(editor, first)
    await editor.until(lambda: set(pages[:2]) <= set(editor.refreshed))
    assert pages[2] not in editor.refreshed
    assert "+ five" not in await shown(pages[0])
    editor.refreshed.clear()
    await restore(editor, first)
    await editor.until(lambda: pages[0] in editor.refreshed)
    assert [await shown(uri) for uri in pages[1:]] == before[1:]


async def test_an_id_is_found_by_its_beginning(editor: Editor) -> None:
    task = await editor.done("true")
    found = await editor.command("mux.id.find", protocol.IdResult, id=task.runs[0].id.upper())
    assert found.id == task.runs[0].id
    with pytest.raises(Refused, match=f"There is no run '{task.id}-4'; did you mean {task.id}-1?"):
        await editor.command("mux.id.find", protocol.IdResult, id=f"{task.id}-4")
