"""Measure how long an editor waits for code actions, beside a request that the daemon merely refuses."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from mux_lsp.lsp.review.code_action import MAX_RUNS
from tests.benchmarks.figures import Goal, Line, percentile
from tests.benchmarks.reviewed import Document, Session, session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

BASELINE = "round trip of an unknown method"


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure through the real bridge: at rest, and right after a keystroke, which moves all hunks or none."""
    lines: list[Line] = []
    with session(sizes, base) as reviewing:
        for stacked in (False, True):
            documents = [document for document in reviewing.documents if document.stacked is stacked]
            where = f"all {sizes.review_runs} runs at one place" if stacked else "each run at places of its own"
            lines += _lines(f"code action, {where}", *_at_rest(reviewing, documents))
            lines += _lines(f"code action behind a keystroke, {where}", *_while_typing(reviewing, documents[0]))
    return lines


def _lines(name: str, taken: list[float], trivial: list[float]) -> list[Line]:
    goal = Goal(0.010, "measured")
    return [
        Line("actions", f"{name}, p50", percentile(taken, 0.5), BASELINE, percentile(trivial, 0.5)),
        Line("actions", f"{name}, p99", percentile(taken, 0.99), BASELINE, percentile(trivial, 0.99), goal),
    ]


def _at_rest(reviewing: Session, documents: list[Document]) -> tuple[list[float], list[float]]:
    taken: list[float] = []
    trivial: list[float] = []
    for number in range(reviewing.sizes.requests):
        document = documents[number % len(documents)]
        trivial.append(reviewing.client.timed("mux/nothing"))
        taken.append(_ask(reviewing, document, reviewing.a_line(document)))
    return taken, trivial


def _while_typing(reviewing: Session, document: Document) -> tuple[list[float], list[float]]:
    """Measure while a person types at the top of a file: a request after each key, and a new line with every tenth."""
    taken: list[float] = []
    trivial: list[float] = []
    client = reviewing.client
    line, column, added = 2, 0, 0
    for version in range(2, reviewing.sizes.changes + 2):
        trivial.append(client.timed("mux/nothing"))
        at = {"line": line, "character": column}
        key = "\n" if version % 10 == 0 else "x"
        line, column = (line + 1, 0) if key == "\n" else (line, column + 1)
        added += key == "\n"
        change = {"range": {"start": at, "end": at}, "text": key}
        identifier = {"uri": document.uri, "version": version}
        client.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": [change]})
        taken.append(_ask(reviewing, document, reviewing.a_line(document) + added))
        # The diagnostics for this text must not delay the next key.
        client.until("textDocument/publishDiagnostics", functools.partial(_is_for, document, version))
    return taken, trivial


def _is_for(document: Document, version: int, params: dict[str, Any]) -> bool:
    return (params["uri"], params["version"]) == (document.uri, version)


def _ask(reviewing: Session, document: Document, line: int) -> float:
    at = {"line": line, "character": 0}
    begun = time.perf_counter()
    answer = reviewing.client.request(
        "textDocument/codeAction",
        {"textDocument": {"uri": document.uri}, "range": {"start": at, "end": at}, "context": {"diagnostics": []}},
    )
    seconds = reviewing.client.arrived - begun
    # At a stacked place each run's change can be accepted, and each file and run, up to the length of a menu. From the
    # shown one one can step on, and it can be rejected.
    runs = reviewing.sizes.review_runs if document.stacked else 1
    wanted = runs + (1 if runs > 1 else 0) + 1 + 2 * min(runs, MAX_RUNS)
    if len(answer["result"]) != wanted:
        raise RuntimeError(f"{len(answer['result'])} code actions at line {line} of {document.uri}, not {wanted}")
    return seconds
