"""Seeing a folder change, whatever its files are called."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp.engine.watching import merge, watching

if TYPE_CHECKING:
    from pathlib import Path

WAIT_SECONDS = 30


async def test_a_name_that_is_not_utf_8_does_not_end_the_watch(tmp_path: Path) -> None:
    async with watching(tmp_path) as batches, asyncio.timeout(WAIT_SECONDS):
        assert await batches.get() is None
        (tmp_path / "first.txt").touch()
        assert await batches.get() == frozenset({"first.txt"})
        (tmp_path / "caf\udce9.txt").touch()
        # It cannot be named, so anything may have changed.
        assert await batches.get() is None
        (tmp_path / "later.txt").touch()
        assert await batches.get() == frozenset({"later.txt"})


def test_batches_are_taken_together() -> None:
    assert merge([frozenset({"a"}), frozenset({"b", "a"})]) == frozenset({"a", "b"})
    assert merge([frozenset({"a"}), None]) is None
