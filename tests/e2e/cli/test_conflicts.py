"""Test `accept` without an exact place: its message, and --instead, --take and --mark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp.protocol import AcceptResult
from tests.e2e.cli.test_review import APP, EIGHTEEN, TEN, hunks_of, notes, result

if TYPE_CHECKING:
    from tests.e2e.cli.terminal import Terminal

ZEHN = "sed -i 's/^line 10$/ZEHN/' notes.txt"


def typed_over_ten(terminal: Terminal) -> None:
    place = terminal.folder / "notes.txt"
    place.write_text(place.read_text().replace("line 10\n", "my own\n"))


def test_a_conflict_says_what_fits_and_what_can_be_done(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN, APP)
    hunks = hunks_of(terminal, run)
    typed_over_ten(terminal)
    before = notes(terminal)
    done = terminal("accept", run)
    assert (done.status, done.raw) == (3, b"")
    assert " ".join(done.err.split()) == (
        "Nothing was written, because of a conflict in notes.txt:10: line 10 was changed here too. "
        f"The other 2 fit: accept them with --hunk {hunks['LINE EIGHTEEN']} --hunk {hunks['THREE']}. "
        "For what collides, --take puts it in place of your lines, --mark writes both between conflict markers."
    )
    assert notes(terminal) == before
    one = terminal("accept", run, "--hunk", hunks["LINE TEN"])
    assert one.status == 3
    assert "fit" not in one.err
    assert "The other one fits" in " ".join(terminal("accept", run, "notes.txt").err.split())
    terminal.ok("accept", run, "--hunk", hunks["LINE EIGHTEEN"], "--hunk", hunks["THREE"])
    assert notes(terminal) == [*before[:17], "LINE EIGHTEEN", *before[18:]]


def test_take(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN, APP)
    typed_over_ten(terminal)
    mine = notes(terminal)
    said = terminal.ok("accept", run, "notes.txt", "--take")
    assert said.startswith("Accepted 2 changes in notes.txt. What was there before is kept in ")
    assert (kept(said) / "notes.txt").read_text().splitlines() == mine
    assert (notes(terminal)[9], notes(terminal)[17]) == ("LINE TEN", "LINE EIGHTEEN")
    assert (terminal.folder / "src" / "app.txt").read_text() == "one\ntwo staged\nthree\n"


def test_take_a_deletion(terminal: Terminal) -> None:
    run = result(terminal, "rm src/new.txt")
    (terminal.folder / "src" / "new.txt").write_text("my own\n")
    done = terminal("accept", run)
    assert done.status == 3
    assert "--take" in done.err
    assert "--mark" not in done.err
    said = terminal.ok("accept", run, "src/new.txt", "--take")
    assert not (terminal.folder / "src" / "new.txt").exists()
    assert (kept(said) / "src" / "new.txt").read_text() == "my own\n"
    assert "kept" not in terminal.ok("accept", run)


def kept(said: str) -> Path:
    """Return the folder of copies that `accept` names."""
    return Path("".join(said.split("kept in ", 1)[1].split()).removesuffix("."))


def test_mark(terminal: Terminal) -> None:
    run = result(terminal, TEN, EIGHTEEN)
    typed_over_ten(terminal)
    said = terminal.ok("accept", run, "--mark")
    assert said == "Accepted 1 change in notes.txt. Marked 1 conflict in notes.txt: decide there.\n"
    marked = ["<<<<<<< yours", "my own", "||||||| snapshot", "line 10", "=======", "LINE TEN", f">>>>>>> {run}"]
    assert notes(terminal)[9:17] == [*marked, "line 11"]
    assert "LINE EIGHTEEN" in notes(terminal)


def test_instead(terminal: Terminal) -> None:
    task = terminal.run("x", "-a", f"sh:{TEN} && {EIGHTEEN}", "-a", f"sh:{ZEHN}")["id"]
    one, other = f"{task}-1", f"{task}-2"
    zehn = hunks_of(terminal, other)["ZEHN"]
    terminal.ok("accept", one)
    done = terminal("accept", other)
    assert done.status == 3
    assert "--instead puts it in place of what another run has there, --take" in " ".join(done.err.split())
    said = terminal.ok("accept", other, "--hunk", zehn, "--instead")
    assert said == f"Accepted 1 change in notes.txt, in place of what {one} had there.\n"
    assert (notes(terminal)[9], notes(terminal)[17]) == ("ZEHN", "LINE EIGHTEEN")
    answer = AcceptResult.model_validate(terminal.json("accept", one, "--instead"))
    assert (answer.accepted, answer.already, answer.instead_of, answer.marked) == (1, 1, [other], 0)
    assert (notes(terminal)[9], notes(terminal)[17]) == ("LINE TEN", "LINE EIGHTEEN")


@pytest.mark.parametrize("way", ["--instead", "--take", "--mark"])
def test_where_nothing_collides_they_change_nothing(way: str, terminal: Terminal) -> None:
    run = result(terminal, TEN)
    assert terminal.ok("accept", run, way) == "Accepted 1 change in notes.txt.\n"
    assert notes(terminal)[9] == "LINE TEN"


def test_they_exclude_each_other(terminal: Terminal) -> None:
    done = terminal("accept", "k3f-1", "--take", "--mark")
    assert done.status == 2
    assert "--take and --mark exclude each other: give one of them." in " ".join(done.err.split())
