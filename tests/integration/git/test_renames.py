"""Test renames and copies in results: which are found, their form, and that `git apply` takes them as patches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from mux_lsp.git.shadow import ShadowStore
from tests.integration.git.support import commit, make_repository, run, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mux_lsp.core.model import FileChange

LONG = "".join(f"line {number}\n" for number in range(50))
OTHER = "".join(f"{number * 37} of another kind\n" for number in range(50))
BINARY = bytes(range(256)) * 8

BEFORE: dict[str, bytes | str] = {
    "a.txt": LONG,
    "data.bin": BINARY,
    "empty": "",
    "gone.txt": "nothing like the others\n",
    "latin.txt": b"gr\xfc\xdfe\n" * 50,
    "source.txt": OTHER,
    "tab\tname.txt": LONG.replace("line", "row"),
    "twice.txt": OTHER.replace("another", "a third"),
}

AFTER: dict[str, bytes | str] = {
    "copy.txt": OTHER,
    "deep/er/b.txt": LONG.replace("line 7\n", "line seven\n"),
    "emptied/empty": "",
    "fresh.txt": "something new\n",
    "latin-1.txt": b"gr\xfc\xdfe\n" * 50 + b"\xfc\n",
    "moved.bin": BINARY + b"\0",
    "new\nline.txt": LONG.replace("line", "row"),
    "one.txt": OTHER.replace("another", "a third"),
    "source.txt": OTHER + "more\n",
    "two.txt": OTHER.replace("another", "a third") + "more\n",
}

EXPECTED = {
    ("copied", "source.txt", "copy.txt"),
    ("renamed", "a.txt", "deep/er/b.txt"),
    # The origin of an empty file cannot be determined.
    ("deleted", None, "empty"),
    ("added", None, "emptied/empty"),
    ("added", None, "fresh.txt"),
    ("deleted", None, "gone.txt"),
    ("renamed", "latin.txt", "latin-1.txt"),
    ("renamed", "data.bin", "moved.bin"),
    ("renamed", "tab\tname.txt", "new\nline.txt"),
    ("copied", "twice.txt", "one.txt"),
    ("renamed", "twice.txt", "two.txt"),
    ("modified", None, "source.txt"),
}


def trees(tmp_path: Path, before: Mapping[str, bytes | str], after: Mapping[str, bytes | str]) -> tuple[Path, str, str]:
    """Make a repository with two commits. Return its root and their names."""
    root = make_repository(tmp_path / "repository", before)
    first = run(root, "rev-parse", "HEAD").decode().strip()
    for path in {*before} - {*after}:
        (root / path).unlink()
    write(root, after)
    commit(root, "second")
    return root, first, run(root, "rev-parse", "HEAD").decode().strip()


def shadow_of(root: Path) -> ShadowStore:
    """Return a store that has the objects of a repository."""
    folder = root.parent / "state"
    folder.mkdir()
    run(folder, "clone", "-q", "--bare", str(root), "shadow.git")
    return ShadowStore(folder)


def kinds(changes: tuple[FileChange, ...]) -> set[tuple[str, str | None, str]]:
    return {(change.kind.value, change.old_path, change.path) for change in changes}


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_renames_and_copies_are_found(tmp_path: Path) -> None:
    root, first, second = trees(tmp_path, BEFORE, AFTER)
    shadow = shadow_of(root)
    changes = shadow.changed_files_with_stats(first, second)
    assert kinds(changes) == EXPECTED
    by_path = {change.path: change for change in changes}
    counted = {path: (change.lines_added, change.lines_removed) for path, change in by_path.items()}
    assert counted["deep/er/b.txt"] == (1, 1)
    assert counted["new\nline.txt"] == (0, 0)
    assert counted["moved.bin"] == (None, None)
    copy = by_path["copy.txt"]
    assert (copy.old_mode, copy.old_object.strip("0")) == (0, "")
    assert shadow.read(copy.new_object) == OTHER.encode()
    shadow.close()


@pytest.mark.parametrize(
    "paths", [(), ("a.txt", "deep/er/b.txt"), ("deep/er/b.txt",), ("copy.txt",), ("moved.bin", "data.bin")]
)
def test_a_patch_is_what_git_apply_takes(tmp_path: Path, paths: tuple[str, ...]) -> None:
    root, first, second = trees(tmp_path, BEFORE, AFTER)
    shadow = shadow_of(root)
    patch = shadow.patch(first, second, paths)
    shadow.close()
    assert (b"rename from a.txt\nrename to deep/er/b.txt\n" in patch) is (not paths or "a.txt" in paths)
    run(root, "checkout", "-q", first)
    before = contents(root)
    (tmp_path / "patch").write_bytes(patch)
    run(root, "apply", str(tmp_path / "patch"))
    there = {path: content.encode() if isinstance(content, str) else content for path, content in AFTER.items()}
    expected = there if not paths else before | {path: there[path] for path in paths if path in there}
    for path in paths:
        if path not in there:
            del expected[path]
    assert contents(root) == expected


def test_a_huge_result_stays_quick_and_keeps_its_exact_renames(tmp_path: Path) -> None:
    before = {f"src/{number}.txt": f"{number}\n" + LONG for number in range(900)}
    after = {
        path.replace("src/", "lib/"): content if number < 450 else f"{content}{number}\n"
        for number, (path, content) in enumerate(before.items())
    }
    root, first, second = trees(tmp_path, before, after)
    shadow = shadow_of(root)
    began = time.perf_counter()
    changes = shadow.changed_files_with_stats(first, second)
    assert time.perf_counter() - began < 5
    shadow.close()
    found = [change for change in changes if change.kind.value == "renamed" and change.old_object == change.new_object]
    assert len(found) == 450
