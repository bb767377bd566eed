"""Test `diff`, `accept`, `reject`, `compare`: changes are applied exactly or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.lsp.protocol import AcceptResult, RejectResult, RunDiffResult, TaskCompareResult
from tests.e2e.cli.terminal import files
from tests.support.person import git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.cli.terminal import Terminal

TEN = "sed -i 's/^line 10$/LINE TEN/' notes.txt"
EIGHTEEN = "sed -i 's/^line 18$/LINE EIGHTEEN/' notes.txt"
APP = "sed -i 's/^three$/THREE/' src/app.txt"


def result(terminal: Terminal, *commands: str) -> str:
    """Run these commands as an agent and return the id of the run."""
    task = terminal.run("x", "-a", f"sh:{' && '.join(commands)}")
    assert task["runs"][0]["state"] == "finished", task
    return str(task["runs"][0]["id"])


def hunks_of(terminal: Terminal, run: str) -> dict[str, str]:
    """Return the ids of a run's hunks in one file, by a word that they add."""
    words = {}
    for line in terminal.ok("show", run).splitlines():
        if line.startswith("  ") and " + " in line:
            words[line.rpartition("+ ")[2]] = line.split()[0]
    return words


def notes(terminal: Terminal) -> list[str]:
    return (terminal.folder / "notes.txt").read_text().splitlines()


def test_a_diff_is_a_patch_for_git_apply(terminal: Terminal, tmp_path: Path) -> None:
    exact = (
        "printf 'caf\\351\\r\\n' > latin.txt && printf '\\000\\001' > image.bin && rm src/new.txt && chmod +x notes.txt"
    )
    run = result(terminal, TEN, APP, exact)
    patch = terminal("diff", run)
    assert (patch.status, patch.err) == (0, "")
    file = tmp_path / "result.patch"
    file.write_bytes(patch.raw)
    git(terminal.folder, "apply", "--whitespace=nowarn", str(file))
    assert notes(terminal)[9] == "LINE TEN"
    assert notes(terminal)[0] == "line 1 unstaged"
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nTHREE\n"
    assert (terminal.folder / "latin.txt").read_bytes() == b"caf\xe9\r\n"
    assert (terminal.folder / "image.bin").read_bytes() == b"\0\1"
    assert not (terminal.folder / "src" / "new.txt").exists()
    assert (terminal.folder / "notes.txt").stat().st_mode & 0o100
    RunDiffResult.model_validate(terminal.json("diff", run))


def test_a_diff_of_some_paths(terminal: Terminal) -> None:
    run = result(terminal, TEN, APP)
    assert "notes.txt" not in terminal.ok("diff", run, "src")
    assert "+THREE" in terminal.at(terminal.folder / "src").ok("diff", run, "app.txt")
    done = terminal("diff", run, "elsewhere")
    assert (done.status, done.raw) == (2, b"")
    assert "it changes notes.txt and src/app.txt" in done.err


def test_a_diff_on_a_terminal_is_coloured(terminal: Terminal) -> None:
    with terminal.on_screen("diff", result(terminal, TEN)) as screen:
        assert screen.end() == 0
    assert b"\x1b[32m+LINE TEN\x1b[0m" in screen.shown
    assert b"\x1b[31m-line 10\x1b[0m" in screen.shown


def test_accept_a_run(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN, APP, "rm src/new.txt", "echo hello > src/made.txt")
    assert terminal.ok("accept", run).startswith("Accepted 5 changes in ")
    assert (notes(terminal)[0], notes(terminal)[9], notes(terminal)[17]) == (
        "line 1 unstaged",
        "LINE TEN",
        "LINE EIGHTEEN",
    )
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nTHREE\n"
    assert (terminal.folder / "src" / "made.txt").read_text() == "hello\n"
    assert not (terminal.folder / "src" / "new.txt").exists()
    again = AcceptResult.model_validate(terminal.json("accept", run))
    assert (again.accepted, again.already, again.files) == (0, 5, [])
    assert terminal.ok("accept", run) == "5 changes were there already.\n"


@pytest.mark.parametrize(
    ("folder", "paths"), [(".", ["src"]), (".", ["src/app.txt", "src/made.txt"]), ("src", ["app.txt", "made.txt"])]
)
def test_accept_by_path(folder: str, paths: list[str], terminal: Terminal) -> None:
    run = result(terminal, TEN, APP, "echo hello > src/made.txt")
    before = notes(terminal)
    terminal.at(terminal.folder / folder).ok("accept", run, *paths)
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nTHREE\n"
    assert (terminal.folder / "src" / "made.txt").read_text() == "hello\n"
    assert notes(terminal) == before


def test_accept_a_folder_with_what_is_not_text(terminal: Terminal) -> None:
    run = result(terminal, "printf '\\000' > src/image.bin", APP, TEN)
    terminal.ok("accept", run, "src")
    assert (terminal.folder / "src" / "image.bin").read_bytes() == b"\0"
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nTHREE\n"
    assert notes(terminal)[9] == "line 10"


def test_accept_by_hunk_below_what_was_typed_since(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN)
    hunks = hunks_of(terminal, run)
    (terminal.folder / "notes.txt").write_text("\n".join(["typed since", *notes(terminal)]) + "\n")
    assert terminal.ok("accept", run, "--hunk", hunks["LINE EIGHTEEN"]) == "Accepted 1 change in notes.txt.\n"
    assert [notes(terminal)[line] for line in (0, 1, 10, 18)] == [
        "typed since",
        "line 1 unstaged",
        "line 10",
        "LINE EIGHTEEN",
    ]
    assert "applied" in terminal.ok("show", run)


def test_accept_a_path_and_a_hunk_together(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN, APP)
    terminal.ok("accept", run, "src/app.txt", "--hunk", hunks_of(terminal, run)["LINE TEN"])
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nTHREE\n"
    assert (notes(terminal)[9], notes(terminal)[17]) == ("LINE TEN", "line 18")


def test_hunks_of_several_runs_are_mixed(terminal: Terminal) -> None:
    task = terminal.run("x", "-a", f"sh:{TEN}; {APP}", "-a", f"sh:{EIGHTEEN}")["id"]
    terminal.ok("accept", f"{task}-1", "--hunk", hunks_of(terminal, f"{task}-1")["LINE TEN"])
    terminal.ok("accept", f"{task}-2")
    assert (notes(terminal)[9], notes(terminal)[17]) == ("LINE TEN", "LINE EIGHTEEN")
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nthree\n"


@pytest.mark.parametrize("paths", [[], ["notes.txt", "src/app.txt"], ["."], ["notes.txt"]])
def test_a_conflict_writes_nothing(paths: list[str], terminal: Terminal) -> None:
    run = result(terminal, TEN, APP, "echo hello > aaa.txt")
    text = (terminal.folder / "notes.txt").read_text()
    (terminal.folder / "notes.txt").write_text(text.replace("line 10\n", "another ten\n"))
    before = files(terminal.folder)
    done = terminal("accept", run, *paths)
    assert (done.status, done.raw) == (3, b"")
    assert "notes.txt" in done.err
    assert "Nothing was written" in done.err
    assert len(done.err.splitlines()) == 1
    assert files(terminal.folder) == before
    assert "conflict" in terminal.ok("show", run)


def test_a_conflicting_hunk_is_refused_by_its_id(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN)
    hunks = hunks_of(terminal, run)
    text = (terminal.folder / "notes.txt").read_text()
    (terminal.folder / "notes.txt").write_text(text.replace("line 10\n", "another ten\n"))
    assert terminal("accept", run, "--hunk", hunks["LINE TEN"], "--hunk", hunks["LINE EIGHTEEN"]).status == 3
    assert notes(terminal)[17] == "line 18"
    terminal.ok("accept", run, "--hunk", hunks["LINE EIGHTEEN"])
    assert notes(terminal)[17] == "LINE EIGHTEEN"


def test_what_is_rejected_is_left_out(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN, APP)
    before = files(terminal.folder)
    assert terminal.ok("reject", run, "--hunk", hunks_of(terminal, run)["LINE TEN"]) == "Rejected 1 change.\n"
    assert RejectResult.model_validate(terminal.json("reject", run, "src/app.txt")).rejected == 1
    assert files(terminal.folder) == before
    assert terminal.ok("show", run).count("rejected") == 2
    terminal.ok("accept", run)
    assert (notes(terminal)[9], notes(terminal)[17]) == ("line 10", "LINE EIGHTEEN")
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nthree\n"


def test_reject_a_whole_run(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN, APP)
    assert terminal.ok("reject", run) == "Rejected 3 changes.\n"
    before = files(terminal.folder)
    assert terminal.ok("accept", run) == (
        "There was nothing to accept. Left out because you rejected it: 3 changes (--hunk ID takes one all the same).\n"
    )
    assert terminal.ok("reject", run) == "There was nothing left to reject.\n"
    assert files(terminal.folder) == before


def test_a_name_that_is_not_utf8(terminal: Terminal) -> None:
    name = b"caf\xe9.txt"
    run = result(terminal, "printf 'x\\n' > \"$(printf 'caf\\351.txt')\"", TEN)
    assert "caf\\xe9.txt" in terminal.ok("show", run)
    terminal.ok("accept", run, name)
    made = [path for path in terminal.folder.iterdir() if path.name.startswith("caf")]
    assert [bytes(path.name, "utf-8", "surrogateescape") for path in made] == [name]
    assert notes(terminal)[9] == "line 10"


def test_compare_counts_who_agrees(terminal: Terminal) -> None:
    agents: list[str] = []
    for command in (TEN, f"{TEN}; {EIGHTEEN}", TEN, f"{APP}; exit 3"):
        agents += ["-a", f"sh:{command}"]
    task: Any = terminal.run("x", *agents)
    id_ = task["id"]
    compared = TaskCompareResult.model_validate(terminal.json("compare", id_))
    assert compared.equal == [[f"{id_}-1", f"{id_}-3"]]
    by_path = {file.path: file for file in compared.files}
    assert by_path["notes.txt"].runs == [f"{id_}-1", f"{id_}-2", f"{id_}-3"]
    assert sorted(by_path["notes.txt"].hunks.values()) == [[f"{id_}-1", f"{id_}-2", f"{id_}-3"], [f"{id_}-2"]]
    assert list(by_path["src/app.txt"].hunks.values()) == [[f"{id_}-4"]]

    out = terminal.ok("compare", id_)
    assert f"{id_}-1 and {id_}-3 have the same result." in out
    assert "notes.txt  changed by 3 runs of 4" in out
    [line] = [line for line in out.splitlines() if "LINE TEN" in line and "3 of 4" in line]
    assert f"{id_}-1, {id_}-3, {id_}-2" in line
    ranked = [line.split()[:2] for line in out.splitlines()[1:5]]
    assert ranked == [["1=", f"{id_}-1"], ["1=", f"{id_}-3"], ["3", f"{id_}-2"], ["4", f"{id_}-4"]]
    assert f"3   {id_}-2  No check has judged it. Shares 50% of its lines with 2 of the 3 others." in out
    assert f"Behind {id_}-1 for less agreement with the others and a larger change." in out
    assert "exit status 3" in out


def test_a_rename_is_shown_and_taken_by_either_name(terminal: Terminal, tmp_path: Path) -> None:
    run = result(terminal, TEN, "mkdir doc", "mv notes.txt doc/notes.md", "cp src/app.txt src/copy.txt", APP)
    shown = terminal.ok("show", run)
    assert "notes.txt → doc/notes.md  renamed, +1 -1" in shown
    assert "src/app.txt → src/copy.txt  copied, +0 -0" in shown
    task = run.rpartition("-")[0]
    assert f"notes.txt  changed by 1 run of 1\n  → doc/notes.md  renamed by {run}\n" in terminal.ok("compare", task)
    patch = tmp_path / "result.patch"
    patch.write_bytes(terminal("diff", run).raw)
    assert b"rename from notes.txt\nrename to doc/notes.md\n" in patch.read_bytes()
    git(terminal.folder, "apply", "--check", str(patch))
    before = files(terminal.folder)
    text = (terminal.folder / "notes.txt").read_text()
    (terminal.folder / "doc").mkdir()
    (terminal.folder / "doc" / "notes.md").write_text("mine\n")
    done = terminal("accept", run, "notes.txt")
    assert (done.status, done.raw) == (3, b"")
    assert "notes.txt: a file named doc/notes.md is here already" in done.err
    (terminal.folder / "doc" / "notes.md").unlink()
    assert terminal.ok("accept", run, "notes.txt") == "Accepted 2 changes in doc/notes.md.\n"
    assert (terminal.folder / "doc" / "notes.md").read_text() == text.replace("line 10\n", "LINE TEN\n")
    assert set(files(terminal.folder)) == {*before, "doc", "doc/notes.md"} - {"notes.txt"}
    assert terminal.ok("accept", run, "doc") == "2 changes were there already.\n"


def test_a_task_stands_for_its_only_run(terminal: Terminal) -> None:
    one = terminal.run("x", "-a", f"sh:{TEN}")["id"]
    two = terminal.run("x", "-a", f"sh:{TEN}*2")["id"]
    assert "+LINE TEN" in terminal.ok("diff", one)
    done = terminal("accept", two)
    assert (done.status, done.err) == (2, f"{two} has 2 runs: name one of {two}-1 and {two}-2.\n")
    assert json.loads(terminal.ok("accept", one, "--json"))["accepted"] == 1


@pytest.mark.parametrize("what", ["gone", "replaced"])
def test_nothing_is_offered_where_the_repository_is_another_one(terminal: Terminal, tmp_path: Path, what: str) -> None:
    """A new file would fit anywhere: even that one must not be offered."""
    run = result(terminal, TEN, "echo new > made.txt")
    root = terminal.folder
    root.rename(tmp_path / "moved")
    if what == "replaced":
        root.mkdir()
    why = "is not there any more" if what == "gone" else "is another folder than the one that"
    outside = terminal.at(tmp_path)
    for command in (("accept", run), ("pick", run), ("accept", run, "--take")):
        done = outside(*command)
        assert (done.status, done.out) == (1, "")
        assert why in done.err
        assert "nothing was written" in done.err
        assert "--hunk" not in done.err
    assert "+LINE TEN" in outside.ok("diff", run)
    if what == "replaced":
        root.rmdir()
    (tmp_path / "moved").rename(root)
    assert outside.ok("accept", run) == "Accepted 2 changes in made.txt and notes.txt.\n"
