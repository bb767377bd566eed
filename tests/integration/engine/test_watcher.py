"""Test noticing changes in a folder, with any file names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp.engine.runs.watcher import merge, watching

if TYPE_CHECKING:
    from pathlib import Path

WAIT_SECONDS = 30


async def test_a_name_that_is_not_utf_8_does_not_end_the_watch(tmp_path: Path) -> None:
    async with watching(tmp_path) as batches, asyncio.timeout(WAIT_SECONDS):
        assert await batches.get() is None
        (tmp_path / "first.txt").touch()
        assert await batches.get() == frozenset({"first.txt"})
        (tmp_path / "caf\udce9.txt").touch()
        # The name cannot be represented, so anything may have changed.
        assert await batches.get() is None
        (tmp_path / "later.txt").touch()
        assert await batches.get() == frozenset({"later.txt"})


async def test_folders_that_come_later_are_seen_into(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    async with watching(tmp_path) as batches, asyncio.timeout(WAIT_SECONDS):
        assert await batches.get() is None
        (tmp_path / "old" / "in.txt").touch()
        assert await batches.get() == frozenset({"old/in.txt"})
        (tmp_path / "new" / "deep" / "deeper").mkdir(parents=True)
        assert "new" in (await batches.get() or ())
        (tmp_path / "new" / "deep" / "deeper" / "in.txt").touch()
        assert await batches.get() == frozenset({"new/deep/deeper/in.txt"})
        (tmp_path / "old" / "in.txt").unlink()
        (tmp_path / "old").rmdir()
        assert "old" in (await batches.get() or ())
        (tmp_path / "newer").mkdir()
        assert await batches.get() == frozenset({"newer"})
        (tmp_path / "newer" / "in.txt").touch()
        assert await batches.get() == frozenset({"newer/in.txt"})


async def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    async with watching(folder) as batches, asyncio.timeout(WAIT_SECONDS):
        assert await batches.get() is None
        (folder / "link").symlink_to(outside)
        assert await batches.get() == frozenset({"link"})
        (outside / "in.txt").touch()
        (folder / "own.txt").touch()
        assert await batches.get() == frozenset({"own.txt"})


def test_batches_are_taken_together() -> None:
    assert merge([frozenset({"a"}), frozenset({"b", "a"})]) == frozenset({"a", "b"})
    assert merge([frozenset({"a"}), None]) is None
