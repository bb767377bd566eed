from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mux_lsp import openat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_it_opens_the_folder_that_the_names_lead_to_and_no_other_one_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    opened: list[int] = []

    def enter(folder: int, name: str) -> int:
        opened.append(openat.open_inside(folder, name))
        assert {one for one in (start, *opened) if _is_open(one)} == {folder, opened[-1]}
        return opened[-1]

    start = openat.open_folder(tmp_path)
    last = openat.descend(start, ("a", "b", "c"), enter)
    try:
        assert os.path.samestat(os.fstat(last), (tmp_path / "a/b/c").stat())
        assert last == opened[-1]
    finally:
        os.close(last)


@pytest.mark.parametrize("at", ["a", "b", "c"])
@pytest.mark.parametrize("target", ["inside", "outside", "nowhere"])
def test_a_link_among_the_names_is_refused_and_nothing_stays_open(tmp_path: Path, at: str, target: str) -> None:
    root, names = tmp_path / "root", ("a", "b", "c")
    folder = root
    for name in names[: names.index(at)]:
        folder /= name
    folder.mkdir(parents=True)
    (root / "real/b/c").mkdir(parents=True)
    (tmp_path / "other/b/c").mkdir(parents=True)
    targets = {"inside": root / "real", "outside": tmp_path / "other", "nowhere": root / "nothing"}
    (folder / at).symlink_to(targets[target])
    start = openat.open_folder(root)
    opened: list[int] = []

    def enter(above: int, name: str) -> int:
        opened.append(openat.open_inside(above, name))
        return opened[-1]

    with pytest.raises(OSError, match=r".") as raised:
        openat.descend(start, names, enter)
    assert raised.value.errno in openat.LINK_ERRORS
    assert not any(map(_is_open, {start, *opened}))


@pytest.mark.parametrize(("opener", "follows"), [(openat.open_folder, True), (openat.open_plain_folder, False)])
def test_only_a_path_of_ours_is_followed_through_a_link(
    tmp_path: Path, opener: Callable[[Path], int], follows: bool
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    if follows:
        descriptor = opener(tmp_path / "link")
        assert os.path.samestat(os.fstat(descriptor), (tmp_path / "real").stat())
        os.close(descriptor)
    else:
        with pytest.raises(OSError, match=r".") as raised:
            opener(tmp_path / "link")
        assert raised.value.errno in openat.LINK_ERRORS


def test_it_tells_links_from_all_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    folder = openat.open_folder(tmp_path)
    try:
        assert [openat.is_link(folder, name) for name in ("folder", "link", "nothing")] == [False, True, False]
    finally:
        os.close(folder)
