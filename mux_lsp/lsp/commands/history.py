"""Implement the command that lists acceptances, with the current place of their lines in the client's text."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.core import text
from mux_lsp.core.history import HistoryText, locate_acceptance
from mux_lsp.engine.repository.registry import locate
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import live_text, path_of, uri_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mux_lsp.core.history import Acceptance, Span
    from mux_lsp.core.text import PositionEncoding
    from mux_lsp.lsp.commands.caller import CallerSession
    from mux_lsp.lsp.wire.documents import Document

    Read = Callable[[Path | None, Path | None], Iterator[Acceptance]]


async def history_list(client: CallerSession, params: protocol.HistoryListParams) -> protocol.HistoryListResult:
    if params.uri is None and (params.start is not None or params.end is not None):
        raise UsageError("mux.history.list takes lines only of a document: name its uri.")
    root = None
    if params.repository is not None:
        root = (await asyncio.to_thread(locate, client.folder(params.repository))).root
    await client.views.caught_up()
    documents = client.documents
    read = client.engine.history.read
    return await asyncio.to_thread(listed, read, params, root, documents.by_path(), documents.encoding)


def listed(
    read: Read,
    params: protocol.HistoryListParams,
    root: Path | None,
    documents: Mapping[Path, Document],
    encoding: PositionEncoding,
) -> protocol.HistoryListResult:
    """Return the requested acceptances. Slow: run it in a thread. Raises UsageError if the URI is not a file's."""
    shapes: Iterator[protocol.AcceptanceShape]
    if params.uri is None:
        shapes = (_shape(one, None, None) for one in read(None, root))
    else:
        file = path_of(params.uri)
        if file is None:
            raise UsageError(f"{params.uri} is not a file.")
        shapes = _of_file(read(file, None), params, _lines(file, documents), encoding)
    return protocol.HistoryListResult(acceptances=list(itertools.islice(shapes, params.limit)))


def _of_file(
    found: Iterator[Acceptance],
    params: protocol.HistoryListParams,
    lines: tuple[str, ...] | None,
    encoding: PositionEncoding,
) -> Iterator[protocol.AcceptanceShape]:
    searched = HistoryText(lines or ())
    first, last = params.start or 0, len(searched.lines) if params.end is None else params.end
    for one in found:
        # If a withdrawn acceptance's lines are in the text all the same, they have another origin.
        span = locate_acceptance(one, searched) if lines is not None and one.withdrawn is None else None
        if (params.start, params.end) == (None, None) or (span is not None and _touches(span, first, last)):
            where = span and convert.wire_range(convert.lines_range(lines or (), span.start, span.end, encoding))
            yield _shape(one, span, where)


def _touches(span: Span, first: int, last: int) -> bool:
    """Return whether a span touches the requested lines. Deleted lines touch the two lines that they were between."""
    if span.start == span.end:
        return first <= span.start <= last + 1
    return span.start <= last and first < span.end


def _lines(file: Path, documents: Mapping[Path, Document]) -> tuple[str, ...] | None:
    return live_text(file.parent, file.name, documents.get(file)).lines


def _shape(one: Acceptance, span: Span | None, where: protocol.Range | None) -> protocol.AcceptanceShape:
    return protocol.AcceptanceShape(
        id=one.id,
        at=one.at,
        withdrawn=one.withdrawn,
        client=one.client,
        person=one.person,
        cause=one.cause.value,
        repository=uri_of(Path(one.repository)),
        task=one.task,
        run=one.run,
        agent=one.agent,
        model=one.model,
        prompt=one.prompt,
        message=one.message,
        agreed=list(one.agreed),
        total=one.total,
        path=text.shown_path(one.path),
        uri=uri_of(Path(one.repository) / one.path),
        hunk=one.hunk,
        line=one.line,
        removed=one.removed.text,
        removed_lines=one.removed.lines,
        added=one.added.text,
        added_lines=one.added.lines,
        range=where,
        partial=span is not None and span.partial,
    )
