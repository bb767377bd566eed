"""Test texts for a person: harmless, short, and parsed as they were meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.cli.text import (
    count,
    duration,
    few_of,
    folder_of,
    is_below,
    listed,
    named_path,
    one_line,
    place,
    size,
    visible,
)
from mux_lsp.errors import UsageError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 漢字", "plain ünïcode 漢字"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("caf\udce9", "caf\\xe9"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\U000e0041", "\\U000e0041"),
        ("[red]not markup[/red]", "[red]not markup[/red]"),
    ],
)
def test_what_drives_a_terminal_is_spelt_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_is_kept_stays() -> None:
    assert visible("a\tb\nc\x07", keep="\n\t") == "a\tb\nc\\x07"


@given(st.text(alphabet=st.characters(codec=None)))
def test_nothing_unsafe_gets_through(text: str) -> None:
    shown = visible(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    shown.encode()  # no lone surrogate either


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n\n  first \nsecond", "first"),
        ("x" * 70, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0s"),
        (0.04, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (187, "3m 07s"),
        (7500, "2h 05m"),
        (273_600, "3d 04h"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("octets", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (3_400_000, "3.4 MB"), (2 * 10**12, "2.0 TB")]
)
def test_size(octets: int, words: str) -> None:
    assert size(octets) == words


def test_counts_and_lists() -> None:
    assert [count(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_many_names_are_cut_short() -> None:
    names = [f"k3f-{number}" for number in range(1, 13)]
    assert few_of(names[:10]) == listed(names[:10])
    assert few_of(names) == "k3f-1, k3f-2, k3f-3, k3f-4, k3f-5, k3f-6, k3f-7, k3f-8, k3f-9 and 3 more"


@pytest.mark.parametrize("path", ["/plain", "/with space/ä", "/a%41b#?", "/bytes \udcff"])
def test_a_folder_comes_back_from_its_uri(path: str) -> None:
    assert folder_of(Path(path).as_uri()) == Path(path)


@pytest.mark.parametrize(
    ("typed", "name", "first", "last"),
    [
        ("a.py", "a.py", None, None),
        ("a.py:7", "a.py", 7, 7),
        ("a.py:7-9", "a.py", 7, 9),
        ("./sub/../a.py:7", "a.py", 7, 7),
        ("odd:3", "odd:3", None, None),
        ("odd:3:2", "odd:3", 2, 2),
    ],
)
def test_place(typed: str, name: str, first: int | None, last: int | None, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.py").touch()
    (tmp_path / "odd:3").touch()
    assert place(typed, tmp_path) == (tmp_path / name, first, last)


@pytest.mark.parametrize("typed", ["none.py", "none.py:3", "a.py:0", "a.py:9-7"])
def test_places_that_are_none(typed: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    with pytest.raises(UsageError):
        place(typed, tmp_path)


ROOT = Path("/repo")
CHANGED = ["a.py", "src/a.py", "src/deep/b.py", "srcfile"]
ODD = "caf\\xe9.py"


@pytest.mark.parametrize(
    ("folder", "typed", "name"),
    [
        ("/repo", "a.py", "a.py"),
        ("/repo/src", "a.py", "src/a.py"),
        ("/repo/src", "../a.py", "a.py"),
        ("/repo/src", "src/a.py", "src/a.py"),  # as a diff names it
        ("/repo", "src", "src"),
        ("/repo", "src/", "src"),
        ("/repo/src", ".", "src"),
        ("/repo", ".", "."),
        ("/repo", "/repo/src/deep", "src/deep"),
        ("/elsewhere", "a.py", "a.py"),
        ("/repository", "srcfile", "srcfile"),
    ],
)
def test_named_path(folder: str, typed: str, name: str) -> None:
    assert named_path(typed, CHANGED, ROOT, Path(folder)) == name


def test_a_named_path_that_is_not_utf8() -> None:
    assert named_path("caf\udce9.py", [ODD], ROOT, ROOT) == ODD
    assert named_path(ODD, [ODD], ROOT, ROOT) == ODD


@pytest.mark.parametrize(
    ("name", "paths"),
    [(".", CHANGED), ("src", ["src/a.py", "src/deep/b.py"]), ("a.py", ["a.py"]), ("src/deep", ["src/deep/b.py"])],
)
def test_is_below(name: str, paths: list[str]) -> None:
    assert [path for path in CHANGED if is_below(path, name)] == paths


@pytest.mark.parametrize("typed", ["b.py", "../a.py", "/etc/passwd", "sr"])
def test_named_paths_that_are_none(typed: str) -> None:
    with pytest.raises(UsageError, match=r"changes a\.py, src/a\.py, src/deep/b\.py and srcfile"):
        named_path(typed, CHANGED, ROOT, ROOT)
