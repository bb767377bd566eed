"""Test that selecting hunks of a run costs in proportion to the hunks, not to the whole run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from mux_lsp.core.model import FileChange, Run, RunState
from mux_lsp.engine.review import select
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.engine.review.selection import Selection
from mux_lsp.errors import UsageError
from tests.unit.engine.test_items import BASE, RESULT, change_of, file, name_of, on_disk

if TYPE_CHECKING:
    from mux_lsp.engine.review.hunks import FileDiff
    from mux_lsp.engine.review.live_text import LiveText
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.engine.review.service import ReviewService

PATHS = ("a.txt", "b.txt", "c.txt")


class Chosen:
    """A run with the same change in several files, which records the live texts that are read."""

    def __init__(self) -> None:
        blobs = {name_of(content.encode()): content.encode() for content in (BASE, RESULT)}
        self.reviews = HunkCache(blobs.__getitem__)
        before, after = file(BASE), file(RESULT)
        self.changes = {path: _at(path, change_of(before, after)) for path in PATHS}
        self.run = Run("k3f-1", "k3f", "sh:true", None, RunState.FINISHED, files=tuple(self.changes.values()))
        self.looked_at: list[str] = []
        self.review = cast(
            "ReviewService",
            SimpleNamespace(
                registry=SimpleNamespace(run=lambda _: self.run, task=lambda _: SimpleNamespace(repository="/nowhere")),
                hunks=lambda _: self.reviews,
                rejections=lambda *_: frozenset(),
            ),
        )

    def live_of(self, path: str) -> LiveText:
        self.looked_at.append(path)
        return on_disk(file(BASE))

    def select(self, hunks: list[str] | None = None) -> Selection:
        return select.select(self.review, self.run.id, self.live_of, hunks=hunks)

    def hunks(self, path: str) -> list[str]:
        return [hunk.id for hunk in self.reviews.get(self.run, self.changes[path]).hunks]


def _at(path: str, change: FileChange) -> FileChange:
    return FileChange(
        path,
        change.kind,
        change.old_mode,
        change.new_mode,
        change.old_object,
        change.new_object,
        change.lines_added,
        change.lines_removed,
    )


def test_only_the_files_of_the_hunks_are_looked_at() -> None:
    chosen = Chosen()
    one, _ = chosen.hunks("b.txt")
    selection = chosen.select([one])
    assert [plan.path for plan in selection.plans] == ["b.txt"]
    assert selection.accepted == 1
    assert chosen.looked_at == ["b.txt"]


def test_hunks_of_several_files_are_found_in_each() -> None:
    chosen = Chosen()
    selection = chosen.select([*chosen.hunks("c.txt"), chosen.hunks("a.txt")[1]])
    assert [(plan.path, plan.accepted) for plan in selection.plans] == [("a.txt", 1), ("c.txt", 2)]
    assert chosen.looked_at == ["a.txt", "c.txt"]


def test_the_whole_run_is_all_of_it() -> None:
    chosen = Chosen()
    assert (chosen.select().accepted, chosen.looked_at) == (6, list(PATHS))


def test_a_hunk_of_no_file_is_refused_without_a_look() -> None:
    chosen = Chosen()
    with pytest.raises(UsageError, match="k3f-1 has no hunk 'no'"):
        chosen.select([chosen.hunks("a.txt")[0], "no"])
    assert chosen.looked_at in ([], ["a.txt"])


def test_an_id_of_two_changes_accepts_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Chosen()
    one, _ = chosen.hunks("a.txt")
    made = chosen.reviews.get

    def forged(run: Run, change: FileChange) -> FileDiff:
        """Forge a diff as an agent could by trial: a hunk of another file with the id of a harmless hunk."""
        found = made(run, change)
        hunks = [replace(hunk, id=one) if change.path == "b.txt" else hunk for hunk in found.hunks]
        return replace(found, hunks=tuple(hunks[:1]))

    monkeypatch.setattr(chosen.reviews, "get", forged)
    with pytest.raises(UsageError, match=f"more than one change with the id {one}"):
        chosen.select([one])
    assert chosen.select().accepted == len(PATHS)
