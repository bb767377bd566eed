"""Test tasks and runs by their commands."""

from __future__ import annotations

import asyncio
import base64
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS, configured, git
from tests.e2e.lsp.connecting import connect, quit_politely
from tests.support.runs import processes_of_runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor
    from tests.support.home import IsolatedHome

    Join = Callable[..., Awaitable[Editor]]


class Gate:
    """A pipe at which agents wait (`cat GATE`) until it is opened."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.opened = False

    def __str__(self) -> str:
        return str(self.path)

    async def open(self) -> None:
        """Let the waiting agent go on."""
        await asyncio.to_thread(self.path.write_bytes, b"")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


async def run_of(editor: Editor, run: str) -> protocol.RunShape:
    return (await editor.command("mux.run.get", protocol.RunResult, run=run)).run


async def log_of(editor: Editor, run: str, **more: Any) -> protocol.RunLogResult:
    return await editor.command("mux.run.log", protocol.RunLogResult, run=run, **more)


async def test_a_cancelled_run_ends_and_keeps_what_it_made(editor: Editor, gate: Gate) -> None:
    task = await editor.start("do it", f"echo > made.txt; cat {gate}", "true")
    one, two = (run.id for run in task.runs)
    await editor.until(lambda: editor.runs[one].hunks == 1 and editor.runs[two].finished is not None)
    cancelled = (await editor.command("mux.run.cancel", protocol.RunResult, run=one)).run
    assert (cancelled.state, cancelled.hunks) == ("cancelled", 1)
    assert await editor.statuses("made.txt") == ["pending"]
    # An ended run does not change.
    assert (await editor.command("mux.run.cancel", protocol.RunResult, run=two)).run.state == "finished"
    again = (await editor.command("mux.task.cancel", protocol.TaskResult, task=task.id)).task
    assert [run.state for run in again.runs] == ["cancelled", "finished"]


async def test_cancelling_a_task_ends_all_its_runs(editor: Editor, gate: Gate) -> None:
    task = await editor.start("do it", f"cat {gate}", f"sleep 1000 & cat {gate}")
    await editor.until(lambda: [run.state for run in editor.runs.values()] == ["running", "running"])
    ended = (await editor.command("mux.task.cancel", protocol.TaskResult, task=task.id)).task
    assert ([run.state for run in ended.runs], ended.state) == (["cancelled", "cancelled"], "ended")


async def test_retry_is_another_run_of_the_same_prompt(editor: Editor) -> None:
    task = await editor.ended((await editor.start("the prompt", 'cat "$MUX_PROMPT_FILE"; exit 3')).id)
    assert (task.runs[0].state, task.runs[0].exit_status) == ("failed", 3)
    assert task.runs[0].reason == "ended with exit status 3"
    again = (await editor.command("mux.run.retry", protocol.RunResult, run=task.runs[0].id)).run
    assert (again.id, again.agent) == (f"{task.id}-2", task.runs[0].agent)
    assert [run.id for run in editor.tasks[task.id].runs] == [f"{task.id}-1", f"{task.id}-2"]
    ended = await editor.ended(task.id)
    assert [run.state for run in ended.runs] == ["failed", "failed"]
    assert (await log_of(editor, again.id)).text == "the prompt"


async def test_continue_goes_on_from_the_result(editor: Editor, gate: Gate) -> None:
    task = await editor.start("first", f'cat {gate}; cat "$MUX_PROMPT_FILE" >> numbers.txt; tail -n 1 numbers.txt')
    run = task.runs[0].id
    with pytest.raises(Refused) as refused:
        await editor.command("mux.run.continue", protocol.RunResult, run=run, message="second")
    assert refused.value.kind == "usage"
    assert re.fullmatch(rf"{run} is still \w+; it takes a message when it has ended\.", refused.value.message)
    await gate.open()
    await editor.ended(run)
    await editor.command("mux.run.continue", protocol.RunResult, run=run, message=" second")
    await gate.open()
    await editor.ended(run)
    (item,) = await editor.review("numbers.txt", run)
    assert item.added == "first second"


async def test_an_interrupted_run_goes_on_with_a_message(editor: Editor, home: IsolatedHome) -> None:
    told = 'cat "$MUX_PROMPT_FILE" >> numbers.txt'
    task = await editor.start("first", f'{told}; test "$(cat "$MUX_PROMPT_FILE")" = " second" || exec sleep 1000')
    run = task.runs[0].id
    await editor.until(lambda: editor.runs[run].hunks == 1)
    # Kill the agent, and the supervisor that would have recorded its exit status.
    killed = processes_of_runs(home)
    for process in killed:
        process.suspend()
    for process in killed:
        process.kill()
    interrupted = (await editor.ended(run)).runs[0]
    assert (interrupted.state, interrupted.exit_status) == ("interrupted", None)
    await editor.command("mux.run.continue", protocol.RunResult, run=run, message=" second")
    assert (await editor.ended(run)).runs[0].state == "finished"
    (item,) = await editor.review("numbers.txt", run)
    assert item.added == "first second"


async def test_delete_forgets_a_run_or_a_task(editor: Editor, gate: Gate) -> None:
    uri = editor.open("numbers.txt")
    change = "sed -i 's/^line 5$/five/' numbers.txt"
    task = await editor.start("do it", change, f"cat {gate}")
    one, two = (run.id for run in task.runs)
    await editor.ended(one)
    await editor.shown(uri, lambda found: len(found) == 1)
    for id_ in (task.id, two):
        with pytest.raises(Refused, match=rf"{two} is still \w+; cancel it first: `mux-lsp cancel {two}`\.") as refused:
            await editor.command("mux.task.delete", protocol.DeleteResult, id=id_)
        assert refused.value.kind == "usage"
    assert (await editor.command("mux.task.delete", protocol.DeleteResult, id=one)).deleted == [one]
    await editor.shown(uri, lambda found: not found)
    with pytest.raises(Refused, match=f"There is no run '{one}'"):
        await run_of(editor, one)
    await gate.open()
    await editor.ended(task.id)
    assert (await editor.command("mux.task.delete", protocol.DeleteResult, id=task.id)).deleted == [two]
    assert task.id not in editor.tasks
    assert (await editor.command("mux.task.list", protocol.TaskListResult, repository=uri)).tasks == []


async def test_output_is_told_as_it_comes_and_read_from_anywhere(editor: Editor, gate: Gate) -> None:
    task = await editor.start(
        "do it", rf"printf 'w\303\266rter \033[31mred\033[0m\n'; cat {gate}; echo more; echo bad >&2"
    )
    run = task.runs[0].id

    def told(stream: str) -> str:
        return "".join(
            one.text for one in editor.told_of(protocol.RunOutputParams) if (one.run, one.stream) == (run, stream)
        )

    await editor.until(lambda: told("stdout") == "wörter red\n")
    first = await log_of(editor, run)
    assert (first.text, first.offset, first.ended) == ("wörter red\n", 21, False)
    waiting = asyncio.ensure_future(log_of(editor, run, offset=first.offset, follow=True))
    await log_of(editor, run)  # the waiting one blocks nothing
    assert not waiting.done()
    await gate.open()
    assert (await waiting).text == "more\n"
    await editor.ended(run)
    rest = await log_of(editor, run, offset=26, follow=True)
    assert (rest.text, rest.offset, rest.ended) == ("", 26, True)
    part = await log_of(editor, run, limit=2)  # no half characters
    assert (part.text, part.offset) == ("w", 1)
    assert (await log_of(editor, run, offset=part.offset, limit=2)).text == "ö"
    assert (await log_of(editor, run, stream="stderr")).text == "bad\n"
    await editor.until(lambda: told("stdout") == "wörter red\nmore\n" and told("stderr") == "bad\n")


async def test_diff_is_a_patch_that_git_takes(editor: Editor, repository: Path, tmp_path: Path) -> None:
    (repository / "latin.txt").write_bytes("Grüße\n".encode("latin-1"))
    change = r"sed -i 's/^line 5$/five/' numbers.txt; printf 'Gru\337\n' > latin.txt; printf '\0\1' > new.bin"
    task = await editor.done(change)
    run = task.runs[0].id
    whole = await editor.command("mux.run.diff", protocol.RunDiffResult, run=run)
    assert whole.base64 is not None
    (tmp_path / "patch").write_bytes(base64.b64decode(whole.base64))
    git(repository, "apply", str(tmp_path / "patch"))
    assert (repository / "numbers.txt").read_text() == NUMBERS.replace("line 5\n", "five\n")
    assert (repository / "latin.txt").read_bytes() == b"Gru\xdf\n"
    assert (repository / "new.bin").read_bytes() == b"\0\1"
    part = await editor.command("mux.run.diff", protocol.RunDiffResult, run=run, paths=["numbers.txt"])
    assert part.base64 is None
    assert part.patch.count("diff --git") == 1
    assert "-line 5\n+five\n" in part.patch


async def test_compare_says_which_runs_share_what(editor: Editor, home: IsolatedHome) -> None:
    with configured(home, "[ranking]\ntime = 0\n"):
        task = await editor.done(
            "sed -i 's/^line 5$/five/' numbers.txt",
            "sed -i -e 's/^line 5$/five/' -e 's/^line 15$/fifteen/' numbers.txt",
            "true",
            "sed -i 's/^line 5$/five/' numbers.txt",
        )
        compared = await editor.command("mux.task.compare", protocol.TaskCompareResult, task=task.id)
    one, two, _, four = (run.id for run in task.runs)
    assert compared.equal == [[one, four]]
    (file,) = compared.files
    assert (file.path, file.runs) == ("numbers.txt", [one, two, four])
    assert sorted(file.hunks.values()) == [[one, two, four], [two]]
    assert [(run.id, run.files) for run in compared.task.runs] == [(run.id, run.files) for run in task.runs]
    # The equal runs agree most, the one that changes more is behind them, and the one without changes is last.
    assert [(each.run, each.rank, each.grade) for each in compared.ranking] == [
        (one, 1, "unchecked"), (four, 1, "unchecked"), (two, 3, "unchecked"), (task.runs[2].id, 4, "empty"),
    ]  # fmt: skip
    assert [each.rank for each in compared.task.runs] == [1, 3, 4, 1]
    assert compared.task.runs[0].tied == [four]
    first = compared.ranking[0]
    assert (first.agreement, first.shared, first.sharing, first.total) == (1.0, 1.0, 2, 2)
    assert file.changes[two].added == 2
    shared, differing = file.places
    assert (shared.start, shared.end, shared.differs) == (4, 5, False)
    assert [(each.runs, each.gist) for each in shared.variants] == [([one, four, two], "+ five")]
    assert (differing.start, differing.differs) == (14, True)
    assert [(each.runs, each.added, each.removed) for each in differing.variants] == [([two], 1, 1)]


async def test_list_is_of_a_repository_or_of_all(editor: Editor, tmp_path: Path) -> None:
    task = await editor.done("true")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (editor.folder / "sub").mkdir()

    async def listed(**argument: str) -> list[str]:
        return [one.id for one in (await editor.command("mux.task.list", protocol.TaskListResult, **argument)).tasks]

    assert await listed(repository=editor.uri("sub")) == [task.id]
    assert await listed(repository=other.as_uri()) == []
    assert task.id in await listed()
    elsewhere = (await editor.start("do it", "true", repository=other.as_uri())).id
    await editor.ended(elsewhere)
    assert await listed(repository=other.as_uri()) == [elsewhere]
    assert await listed(repository=editor.folder.as_uri()) == [task.id]
    status = await editor.command("mux.status", protocol.StatusResult)
    assert {editor.folder.as_uri(), other.as_uri()} <= {one.repository for one in status.repositories}
    assert status.unfinished_runs == 0


async def test_context_reaches_the_agent_as_places_in_its_own_folder(join: Join, repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "sub" / "code.py").write_text("x\n")
    editor = await join(folder=repository / "sub")
    span = {"start": {"line": 2, "character": 4}, "end": {"line": 6, "character": 0}}
    task = await editor.done(
        'cat "$MUX_PROMPT_FILE"; pwd',
        context=[{"uri": (repository / "numbers.txt").as_uri(), "range": span}, {"uri": editor.uri("code.py")}],
    )
    text = (await log_of(editor, task.runs[0].id)).text
    assert text.startswith("do it\n\nThis is about:\n- ../numbers.txt, lines 3-6\n- code.py\n")
    assert text.endswith("/sub\n")


async def test_agents_of_the_configuration(mux_home: IsolatedHome, repository: Path) -> None:
    mux_home.write_config("""
        [agents.upper]
        kind = "command"
        command = "tr a-z A-Z < numbers.txt > upper.txt; echo {model} $GREETING"
        environment = { GREETING = "hello" }
        [agents.listed]
        kind = "command"
        command = ["cat", "{prompt_file}"]
        [defaults]
        agents = ["upper:big*2", "listed"]
        checks = ["test -f upper.txt"]
    """)
    editor = await connect(mux_home, repository)
    agents = await editor.command("mux.agent.list", protocol.AgentListResult)
    own = [(one.name, one.kind) for one in agents.agents if one.configured]
    assert own == [("listed", "command"), ("upper", "command")]
    assert agents.defaults == ["upper:big*2", "listed"]
    task = await editor.ended((await editor.command("mux.task.start", protocol.TaskResult, prompt="do it")).task.id)
    assert [(run.agent, run.model, run.state) for run in task.runs] == [
        ("upper", "big", "finished"),
        ("upper", "big", "finished"),
        ("listed", None, "finished"),
    ]
    assert [run.checks[0].state for run in task.runs] == ["passed", "passed", "failed"]
    assert (await log_of(editor, task.runs[0].id)).text == "big hello\n"
    assert (await log_of(editor, task.runs[2].id)).text == "do it"

    # Settings are read again for every task, and errors in them are reported.
    mux_home.write_config('[agents.upper]\nkind = "command"\ncomand = "x"\n')
    with pytest.raises(Refused) as refused:
        await editor.start("do it", "true")
    assert refused.value.kind == "usage"
    assert "comand: is not a setting; check its spelling." in refused.value.message
    await quit_politely(editor)


async def test_a_folder_can_be_opened_later_and_closed_again(join: Join, repository: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    editor = await join(folder=elsewhere)
    first, later = (types.WorkspaceFolder(one.as_uri(), one.name) for one in (elsewhere, repository))

    def change(added: list[types.WorkspaceFolder], removed: list[types.WorkspaceFolder]) -> None:
        event = types.WorkspaceFoldersChangeEvent(added, removed)
        editor.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event))

    change([later], [first])
    editor.folder = repository
    task = await editor.start("do it", "true")
    assert task.repository == repository.as_uri()
    await editor.ended(task.id)
    change([], [later])
    with pytest.raises(Refused, match="No folder is open in this client"):
        await editor.start("do it", "true")
