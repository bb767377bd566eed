"""Make views of a document as a session does, from texts before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core import diff, text
from mux_lsp.core.model import ChangeKind, FileChange, Run, RunState, Task
from mux_lsp.engine.review.hunks import FileDiff
from mux_lsp.engine.review.items import evaluate
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.lsp.review import places
from mux_lsp.lsp.wire.capabilities import ClientCapabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

UTF16 = text.PositionEncoding.UTF16
URI = "file:///r/a.txt"
EVERYTHING = ClientCapabilities(
    literals=True,
    lazily=True,
    disabled=True,
    preferred=True,
    faded=True,
    documents=True,
    commands=frozenset({"mux.client.diff", "mux.client.merge"}),
)
PLAIN = ClientCapabilities(literals=True)
"""A client that supports code actions without any extension of them."""


def range_of(start: int, end: int, start_character: int = 0, end_character: int = 0) -> types.Range:
    return types.Range(types.Position(start, start_character), types.Position(end, end_character))


def review_of(before: str, after: str, run: str = "k3f-1", agent: str = "sh:true", path: str = "a.txt") -> FileDiff:
    """Return a run's diff of a file. Equal texts are equal objects."""
    kind = ChangeKind.MODIFIED if before and after else ChangeKind.ADDED if after else ChangeKind.DELETED
    old, new = f"{hash(before):x}", f"{hash(after):x}"
    modes = (0o100644 if before else 0, 0o100644 if after else 0)
    change = FileChange(path, kind, *modes, old, new, 1, 1)
    return FileDiff(run, agent, change, tuple(text.split_lines(before)), diff.hunks(before, after, path))


def view_of(
    live: str | None, *reviews: FileDiff, rejected: Mapping[str, frozenset[str]] | None = None
) -> places.DocumentReview:
    """Return the review of a live text. `rejected` has hunk ids by run."""
    lines = None if live is None else tuple(text.split_lines(live))
    shown = LiveText("a.txt", lines, None, open=True)
    items = [
        item
        for review in reviews
        for item in evaluate(review, lambda _: shown, (rejected or {}).get(review.run, frozenset()))
    ]
    changes = {review.run: review.change for review in reviews}
    tasks = {
        task: Task(
            task,
            "do it",
            "/r",
            "",
            1.0,
            runs=tuple(
                Run(run, task, "sh:true", None, RunState.FINISHED, files=(change,))
                for run, change in changes.items()
                if run.startswith(f"{task}-")
            ),
        )
        for task in {run.partition("-")[0] for run in changes}
    }
    return places.view(places.Buffer(URI, 3, shown), items, tasks, UTF16)


def runs(before: str, *after: str, live: str | None = None) -> places.DocumentReview:
    """Return a view of the original text, or of `live`, with runs `k3f-1`, `k3f-2`… that make these texts of it."""
    reviews = [review_of(before, one, f"k3f-{number}") for number, one in enumerate(after, 1)]
    return view_of(before if live is None else live, *reviews)
