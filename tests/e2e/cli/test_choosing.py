"""Test `pick`, `discard`, `restore`, and ids as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.lsp.protocol import DiscardResult, PickResult, RestoreResult
from tests.e2e.cli.terminal import files

if TYPE_CHECKING:
    from tests.e2e.cli.terminal import Terminal

TEN = "sh:sed -i 's/^line 10$/LINE TEN/' notes.txt"
DIX = "sh:sed -i 's/^line 10$/ligne dix/' notes.txt && echo new > made.txt"
NOTHING = "sh:true"


def task_of(terminal: Terminal, *agents: str) -> tuple[str, list[str]]:
    """Run a task to its end. Return its id and those of its runs."""
    task: Any = terminal.run("x", *(word for agent in agents for word in ("-a", agent)))
    return task["id"], [run["id"] for run in task["runs"]]


def notes(terminal: Terminal) -> list[str]:
    return (terminal.folder / "notes.txt").read_text().splitlines()


def states(terminal: Terminal, task: str) -> list[str]:
    runs = terminal.json("show", task)["task"]["runs"]
    return ["discarded" if run["discarded"] else run["state"] for run in runs]


def test_pick_takes_one_whole_and_throws_the_rest_away(terminal: Terminal) -> None:
    task, (ten, dix, nothing) = task_of(terminal, TEN, DIX, NOTHING)
    assert "the same, and discard the others" in terminal.ok("show", task)
    said = terminal.ok("pick", dix)
    assert said == (
        f"Accepted 2 changes in made.txt and notes.txt. Discarded {ten} and {nothing}; `mux-lsp restore {task}` brings "
        "them back.\n"
    )
    assert notes(terminal)[9] == "ligne dix"
    assert (terminal.folder / "made.txt").read_text() == "new\n"
    assert states(terminal, task) == ["discarded", "finished", "discarded"]

    # Discarded runs are shown as discarded, and left out where runs compete.
    assert "2 discarded, 1 finished" in terminal.ok("list")
    shown = terminal.ok("show", task)
    assert f"Discarded: {ten} and {nothing}; `mux-lsp restore {task}` brings them back until 20" in shown
    assert f"{ten}  sh:sed" in shown
    assert f"Discarded: {ten}; `mux-lsp restore {ten}` brings it back until 20" in terminal.ok("show", ten)
    assert "LINE TEN" not in terminal.ok("compare", task)
    # Their changes can still be viewed.
    assert "+LINE TEN" in terminal.ok("diff", ten)
    for command in (("accept", ten), ("reject", ten), ("pick", ten), ("continue", ten, "x"), ("retry", ten)):
        done = terminal(*command)
        assert (done.status, done.err) == (2, f"{ten} is discarded; `mux-lsp restore {ten}` brings it back.\n")
    assert terminal.ok("restore", ten) == f"{ten} is back.\n"
    assert terminal.ok("restore", task) == f"{nothing} is back.\n"
    assert terminal.ok("restore", task) == f"Nothing of {task} was discarded.\n"
    assert states(terminal, task) == ["finished", "finished", "finished"]
    # Picked again: there is nothing to write, and the others are discarded again.
    PickResult.model_validate(terminal.json("pick", dix))
    assert states(terminal, task) == ["discarded", "finished", "discarded"]


def test_pick_that_cannot_take_all_takes_nothing_and_throws_nothing_away(terminal: Terminal) -> None:
    task, (ten, dix, nothing) = task_of(terminal, TEN, DIX, NOTHING)
    (terminal.folder / "notes.txt").write_text(
        "\n".join([*notes(terminal)[:9], "my own", *notes(terminal)[10:]]) + "\n"
    )
    (made,) = [item for item in terminal.json("show", dix)["run"]["files"] if item["path"] == "made.txt"]
    assert made["change"] == "added"
    terminal.ok("reject", dix, "made.txt")
    before = files(terminal.folder)
    done = terminal("pick", dix)
    assert (done.status, done.raw) == (3, b"")
    assert done.err == (
        "Nothing was written, because of a conflict in notes.txt:10: line 10 was changed here too. You rejected "
        f"made.txt:1: `mux-lsp accept {dix}` takes the rest of it, and `mux-lsp discard {task} --keep {dix}` throws "
        f"the other runs away. {dix} was not picked, and nothing was discarded. For what collides, --take puts it in "
        "place of your lines, --mark writes both between conflict markers.\n"
    )
    assert files(terminal.folder) == before
    assert states(terminal, task) == ["finished", "finished", "finished"]
    done = terminal("pick", nothing)
    assert (done.status, done.err) == (
        2,
        f"{nothing} changes nothing, so there is nothing to pick; `mux-lsp discard` throws runs away.\n",
    )
    said = terminal.ok("pick", ten, "--take")
    assert said.startswith("Accepted 1 change in notes.txt. What was there before is kept in ")
    assert notes(terminal)[9] == "LINE TEN"
    assert states(terminal, task) == ["finished", "discarded", "discarded"]


def test_pick_in_place_of_what_another_run_has_there(terminal: Terminal) -> None:
    task, (ten, dix) = task_of(terminal, TEN, DIX)
    terminal.ok("accept", ten)
    done = terminal("pick", dix)
    assert done.status == 3
    assert "--instead puts it in place of what another run has there" in done.err
    assert terminal.ok("pick", dix, "--instead").startswith(
        f"Accepted 2 changes in made.txt and notes.txt, in place of what {ten} had there. Discarded {ten}; "
    )
    assert notes(terminal)[9] == "ligne dix"
    assert states(terminal, task) == ["discarded", "finished"]


def test_what_was_accepted_of_a_discarded_run_stays(terminal: Terminal) -> None:
    task, (ten, _) = task_of(terminal, TEN, NOTHING)
    terminal.ok("accept", ten)
    DiscardResult.model_validate(terminal.json("discard", task))
    assert notes(terminal)[9] == "LINE TEN"
    assert ten in terminal.ok("show", "notes.txt:10")
    assert ten in terminal.ok("log", "--accepted")
    RestoreResult.model_validate(terminal.json("restore", task))
    assert "applied" in terminal.ok("show", ten)


def test_discard_of_all_but_some(terminal: Terminal) -> None:
    task, (ten, dix, nothing) = task_of(terminal, TEN, DIX, NOTHING)
    said = terminal.ok("discard", task, "--keep", ten, "--keep", dix)
    assert said.startswith(f"Discarded {nothing}; `mux-lsp restore {task}` brings it back until 20")
    assert terminal.ok("discard", task, "--keep", ten, "--keep", dix) == "There was nothing left to discard.\n"
    assert terminal.ok("discard", ten).startswith(f"Discarded {ten}; `mux-lsp restore {ten}` brings it back until 20")
    assert states(terminal, task) == ["discarded", "finished", "discarded"]


def test_a_discarded_run_at_work_is_ended(terminal: Terminal) -> None:
    task = terminal.json(
        "run", "x", "-a", "sh:echo x > made.txt; exec sleep 1000", "-a", "sh:exec sleep 1000", "--no-wait"
    )
    one, other = (run["id"] for run in task["task"]["runs"])
    done = terminal("pick", one)
    assert (done.status, done.err.partition(" is still ")[0]) == (2, one)
    terminal.ok("discard", one)
    assert states(terminal, task["task"]["id"])[0] == "discarded"
    assert terminal.json("show", one)["run"]["state"] == "cancelled"
    terminal.ok("cancel", other)


def test_ids_are_understood_in_part_and_slips_are_noticed(terminal: Terminal) -> None:
    task, (ten, *_) = task_of(terminal, TEN, NOTHING, NOTHING)
    assert terminal.ok("show", ten.upper()) == terminal.ok("show", ten)
    # The other tasks of this home determine how much of an id is unique.
    others = {one["id"] for one in terminal.json("list", "--all")["tasks"]} - {task}
    start = next(task[:length] for length in range(1, 4) if not any(one.startswith(task[:length]) for one in others))
    assert f"{task}  x" in terminal.ok("show", start)
    assert "+LINE TEN" in terminal.ok("diff", f"{start}-1")
    done = terminal("show", f"{task}-7")
    assert (done.status, done.err) == (
        2,
        f"There is no run '{task}-7'; did you mean {task}-1, {task}-2 or {task}-3?\n",
    )
    # A permanent deletion requires the full id.
    if start != task:
        assert terminal("delete", start).status == 2
    done = terminal("delete", f"{task[:2]}{task[2:][::-1]}x")
    assert done.status == 2
    assert task in done.err


@pytest.mark.parametrize("whole", [True, False])
def test_cancel_of_what_has_ended_says_so(terminal: Terminal, whole: bool) -> None:
    task, (ten, _) = task_of(terminal, TEN, "sh:exit 3")
    if whole:
        assert terminal.ok("cancel", task) == f"{task} had ended already: 1 finished, 1 failed.\n"
    else:
        assert terminal.ok("cancel", ten) == f"{ten} had ended already: finished.\n"
