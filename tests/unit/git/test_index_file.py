from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mux_lsp.git.index_file import is_intact

if TYPE_CHECKING:
    from pathlib import Path

SKIP_HASH = ("-c", "index.skipHash=true")
NAMES = ("a", "bb/c", "d" * 200, "e" * 4200, "f/g/h", "ünï", "z")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *SKIP_HASH, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(params=["sha1", "sha256"])
def index(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Yield an index with long names, an intent-to-add entry, and a tree extension."""
    git(tmp_path, "init", "--quiet", f"--object-format={request.param}")
    for number, name in enumerate(NAMES):
        blob = f"{number:040x}" if request.param == "sha1" else f"{number:064x}"
        git(tmp_path, "update-index", "--add", "--cacheinfo", f"100644,{blob.replace('0', '1')},{name}")
    (tmp_path / "meant").write_text("x")
    git(tmp_path, "add", "--intent-to-add", "meant")
    git(tmp_path, "write-tree", "--missing-ok")
    return tmp_path / ".git" / "index", request.param


def test_a_whole_index(index: tuple[Path, str]) -> None:
    assert is_intact(*index)
    assert not is_intact(index[0], "sha256" if index[1] == "sha1" else "sha1")


def test_none_at_all(tmp_path: Path) -> None:
    assert is_intact(tmp_path / "index", "sha1")


def test_an_empty_one_of_an_empty_tree(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "read-tree", "--empty")
    assert is_intact(tmp_path / ".git" / "index", "sha1")
    (tmp_path / ".git" / "index").write_bytes(b"")
    assert not is_intact(tmp_path / ".git" / "index", "sha1")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(data=st.data())
def test_one_that_was_cut_or_whose_end_is_zeros(index: tuple[Path, str], data: st.DataObject) -> None:
    """A power cut leaves such a file if its data were not yet on the disk."""
    path, object_format = index
    content = path.read_bytes()
    digest = 20 if object_format == "sha1" else 32
    kept = data.draw(st.integers(0, len(content) - 1))
    harmed = path.with_name("harmed")
    harmed.write_bytes(content[:kept])
    assert not is_intact(harmed, object_format)
    if kept < len(content) - 2 * digest:
        harmed.write_bytes(content[:kept] + bytes(len(content) - kept))
        assert not is_intact(harmed, object_format)
