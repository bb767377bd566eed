"""Read the texts of read-only documents. Files come from the shadow store, never from a path that an agent chose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.agents import transcript
from mux_lsp.agents.log import Stream, read_text, size_of
from mux_lsp.agents.transcript import Prompted
from mux_lsp.core import diff, text
from mux_lsp.core.model import CheckState, HunkStatus
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.checks.runner import check_folder
from mux_lsp.engine.review import select
from mux_lsp.engine.review.items import plan_path
from mux_lsp.engine.state.guards import refuse_discarded
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.lsp.commands import compare
from mux_lsp.lsp.pages import compare_page, plot, run_page
from mux_lsp.lsp.pages.run_page import Output, Printed
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import Lives
from mux_lsp.lsp.wire.uris import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mux_lsp.core.model import FileChange, Run, Task
    from mux_lsp.core.ranking import Ranked
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review.hunks import HunkCache
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.live_text import LiveText
    from mux_lsp.engine.review.select import FileReview
    from mux_lsp.git.shadow import ShadowStore
    from mux_lsp.lsp.protocol import TaskShape
    from mux_lsp.lsp.wire.documents import Document
    from mux_lsp.lsp.wire.uris import Address

MAX_FILE_BYTES = 2_000_000
"""Maximum size in bytes of a file that is shown. Larger files are reviewed only as a whole, too."""

MAX_PRINTED_BYTES = 200_000
"""Maximum number of bytes of an agent's or a check's output in a transcript: its end."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document that can be read. `files` are those whose live text or hunks it depends on."""

    read: Callable[[], str]
    """Returns its text. Slow; can run in any thread. Raises MuxError if there is nothing to show."""
    files: frozenset[Path] = frozenset()


def source(engine: Engine, documents: Mapping[Path, Document], address: Address) -> Source:
    """Return the source of a document for the client with these open documents. Raises UsageError for an unknown id."""
    match address.kind:
        case Kind.SNAPSHOT:
            return _snapshot_file(engine, address)
        case Kind.RUN:
            return _run_file(engine, address)
        case Kind.TRANSCRIPT:
            run = engine.registry.run(address.of)
            return Source(partial(_transcript, engine.registry.task(run.task), run, engine.files.run_folder(run.id)))
        case Kind.COMPARE:
            return Source(partial(_comparison, *_compared(engine, address.of)))
        case Kind.PLOT:
            return Source(partial(plot.drawing, engine.registry.task(address.of), engine.rankings.ranking(address.of)))
        case Kind.PENDING | Kind.DIFF:
            return _live_file(engine, documents, address)


def language(address: Address) -> str | None:
    """Return LSP's identifier of a document's language; None for a file, whose name determines it."""
    if address.kind is Kind.PLOT:
        return "xml"
    if address.kind.page:
        return "markdown"
    return "diff" if address.kind is Kind.DIFF else None


# Files of the shadow store


def _snapshot_file(engine: Engine, address: Address) -> Source:
    task = engine.registry.task(address.of)
    added = any(change.path == address.path for run in task.runs for change in run.files)
    return Source(partial(_file, engine, task, None, address, known=added))


def _run_file(engine: Engine, address: Address) -> Source:
    run = engine.registry.run(address.of)
    task = engine.registry.task(run.task)
    deleted = any(address.path in {change.path, change.old_path} for change in run.files)
    read = partial(_file, engine, task, run.result, address, known=deleted)
    return Source(read, frozenset({Path(task.repository) / address.path}))


def _file(engine: Engine, task: Task, result: str | None, address: Address, *, known: bool) -> str:
    """Return a file of a result, or else of the task's snapshot; "" if it is missing there but `known`."""
    shadow: ShadowStore = engine.repositories.get(Path(task.repository)).shadow
    commit = result
    if task.snapshot is not None:
        # The snapshot's objects may still be on their way into the store.
        shadow.complete(task.snapshot)
        commit = result or task.snapshot.commit
    data = shadow.read_at(commit, address.path) if commit is not None else None
    if data is None and known:
        return ""
    if data is None:
        raise UsageError(f"{address.of} has no file {_shown(address.path)!r}.")
    return _text(data, address)


def _text(data: bytes, address: Address) -> str:
    where = f"{_shown(address.path)} of {address.of}"
    if len(data) > MAX_FILE_BYTES:
        raise MuxError(
            f"{where} has {len(data)} bytes, and files of more than {MAX_FILE_BYTES} are not shown: "
            "accept it as a whole, or look at it with `mux-lsp diff`."
        )
    decoded = text.decode(data)
    if decoded is None:
        raise MuxError(f"{where} is not a text in UTF-8, so it is not shown: accept it as a whole, or reject it.")
    return decoded.text


def _shown(path: str) -> str:
    return printable(text.shown_path(path))


# The client's live text, with the changes of a run


def _live_file(engine: Engine, documents: Mapping[Path, Document], address: Address) -> Source:
    run = engine.registry.run(address.of)
    refuse_discarded(run)
    change = next((change for change in run.files if change.path == address.path), None)
    if change is None:
        raise UsageError(
            f"{run.id} does not change {_shown(address.path)!r}; `mux-lsp show {run.id}` lists what it changes."
        )
    (candidate,) = select.candidates(engine.review, run, [change])
    lives = Lives(candidate.root, documents)
    show = _pending if address.kind is Kind.PENDING else _diff
    return Source(partial(show, candidate, lives, address), _files_of(candidate.root, change))


def _files_of(root: Path, change: FileChange) -> frozenset[Path]:
    return frozenset(root / path for path in (change.path, change.old_path) if path is not None)


def _pending(candidate: FileReview, lives: Lives, address: Address) -> str:
    items = candidate.items(lives)
    waiting = [item for item in items if item.status is HunkStatus.PENDING]
    return "".join(_with(candidate, _live_of(items, candidate, lives), waiting, address))


def _live_of(items: list[Item], candidate: FileReview, lives: Lives) -> LiveText:
    return items[0].live if items else lives(candidate.path)


def _live_lines(live: LiveText, address: Address) -> tuple[str, ...]:
    if live.lines is not None:
        if sum(map(len, live.lines)) > MAX_FILE_BYTES:
            raise MuxError(f"{_shown(address.path)} is too big to be shown with hunks in it; accept them from a list.")
        return live.lines
    if live.entry is None:
        return ()
    return tuple(text.split_lines(_text(live.entry.content, address)))


def _with(candidate: FileReview, live: LiveText, waiting: list[Item], address: Address) -> tuple[str, ...]:
    """Return the lines of a live text with pending hunks accepted; none if they delete the file."""
    planned = plan_path(candidate.root, candidate.path, waiting, candidate.reviews) if waiting else None
    if planned is None:
        return _live_lines(live, address)
    if planned.lines is not None or planned.entry is None:
        return planned.lines or ()
    return tuple(text.split_lines(_text(planned.entry.content, address)))


def _diff(candidate: FileReview, lives: Lives, address: Address) -> str:
    items = candidate.items(lives)
    run = candidate.run
    if address.hunk is not None:
        select.refuse_unknown(run, [address.hunk], {item.id for item in items})
        (one,) = [item for item in items if item.id == address.hunk]
        if one.hunk is not None and one.text_status is not HunkStatus.PENDING:
            # It cannot be placed in the live text, but its change of the snapshot can be shown.
            said = f"# {run.id}: {one.status.value}; this is its change of the snapshot\n"
            return said + _headers(candidate, live=False) + diff.unified([one.hunk], one.review.base)
        waiting, said = [one], f"# {run.id}: {one.status.value}\n"
    else:
        waiting = [item for item in items if item.status is HunkStatus.PENDING]
        counts = [(sum(item.status is status for item in items), status.value) for status in HunkStatus]
        said = f"# {run.id}: {', '.join(f'{count} {status}' for count, status in counts if count)}\n"
    live = _live_of(items, candidate, lives)
    before = _live_lines(live, address)
    after = _with(candidate, live, waiting, address)
    changes = diff.hunks("".join(before), "".join(after), candidate.path)
    return said + (_headers(candidate, live=True) + diff.unified(changes, before) if changes else "")


def _headers(candidate: FileReview, *, live: bool) -> str:
    """Return the two header lines of a patch. A file name must not begin a new line there."""
    old = candidate.change.old_path or candidate.path
    before = f"{'live' if live else 'snapshot'}/{_one_line(old)}"
    return f"--- {before}\n+++ {candidate.run.id}/{_one_line(candidate.path)}\n"


def _one_line(path: str) -> str:
    return _shown(path).replace("\n", "\\n").replace("\t", "\\t")


# Pages


def _transcript(task: Task, run: Run, run_folder: Path) -> str:
    failed = {
        number: _printed_by_check(check_folder(run_folder, number))
        for number, check in enumerate(run.checks)
        if check.state is CheckState.FAILED
    }
    out, err = _printed(run_folder, "stdout"), _printed(run_folder, "stderr")
    # The first message is the task's prompt, which the page shows above.
    entries = [
        one for one in transcript.read(run_folder) if not (isinstance(one.event, Prompted) and one.event.turn == 0)
    ]
    told = any(not isinstance(one.event, Prompted) for one in entries)
    output = Output(out, err, failed, _messages(run, run_folder), entries if told else ())
    return run_page.page(task, run, output)


def _messages(run: Run, run_folder: Path) -> tuple[str, ...]:
    """Return the messages that the agent was sent after the task's prompt, in order."""
    if run.message is None:
        return ()
    told = {one.event.turn: one.event.text for one in transcript.read(run_folder) if isinstance(one.event, Prompted)}
    return (*(text for turn, text in sorted(told.items()) if turn > 0),) or (run.message,)


def _printed_by_check(folder: Path) -> Printed:
    """Return both streams of a check, because its verdict may be in either."""
    out, err = _printed(folder, "stdout"), _printed(folder, "stderr")
    return Printed(out.text + err.text, out.missing + err.missing)


def _printed(folder: Path, stream: Stream) -> Printed:
    offset = max(0, size_of(folder, stream) - MAX_PRINTED_BYTES)
    printed, _ = read_text(folder, stream, offset, MAX_PRINTED_BYTES)
    return Printed(printed, offset)


def _compared(engine: Engine, task_id: str) -> tuple[TaskShape, Task, tuple[Ranked, ...], HunkCache]:
    task = engine.registry.task(task_id)
    shape = convert.task_shape(task, engine.tasks.summary)
    return shape, task, engine.rankings.ranking(task_id), engine.review.hunks(Path(task.repository))


def _comparison(shape: TaskShape, task: Task, ranking: tuple[Ranked, ...], reviews: HunkCache) -> str:
    compared = compare.compare(shape, task, ranking, reviews)
    shown = compare.compared_paths(task)[: len(compared.files)]
    return compare_page.page(task.prompt, compared, compare.hunks_of(task, reviews, shown))
