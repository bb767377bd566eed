from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.git.path_rules import refusal

FINE = [
    "a",
    "a/b",
    ".gitignore",
    ".gitattributes",
    ".github/x",
    "git/x",
    "a.git/x",
    "..a",
    "a..",
    "...",
    ".gitmodules",
    "with space",
    "-x",
    "a\nb",
    "a\\b",
    "git~2",
    ".git-x",
    "\udcff",
]
REFUSED = [
    "",
    "/a",
    "a//b",
    "./a",
    "a/..",
    "../a",
    "a/../b",
    "a/",
    "a\0b",
    ".git",
    ".GIT/config",
    "a/.gIt/b",
    ".git ",
    ".git.",
    ".git . .",
    ".git::$INDEX_ALLOCATION",
    "git~1",
    "GIT~1/x",
    ".g\u200cit",
    "\ufeff.git/x",
    "a\\.git\\b",
    ".git\\x",
]


@pytest.mark.parametrize("path", FINE)
def test_fine(path: str) -> None:
    assert refusal(path) is None


@pytest.mark.parametrize("path", REFUSED)
def test_refused(path: str) -> None:
    assert refusal(path) is not None


@pytest.mark.parametrize(
    "path", [".gitmodules", "a/.GITMODULES", ".gitmodules ", "gitmod~1", "gi7eba~1", ".gitm\u200codules"]
)
def test_gitmodules_may_not_be_a_link(path: str) -> None:
    assert refusal(path) is None
    assert refusal(path, symlink=True) is not None


@given(st.text(), st.sampled_from([".git", "..", "GIT~1"]), st.text())
def test_never_anywhere_in_a_path(before: str, name: str, after: str) -> None:
    assert refusal(f"{before}/{name}/{after}") is not None
