"""Implement the commands of a review: list changes, show a variant, accept and reject."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp.core.model import HunkStatus
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review import select
from mux_lsp.engine.review.resolutions import AcceptMode, available_resolutions
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands.accept import evaluate_changes
from mux_lsp.lsp.review import wire_places
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mux_lsp.core.model import Task
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.select import FileReview
    from mux_lsp.lsp.commands.caller import CallerSession
    from mux_lsp.lsp.wire.documents import Document


async def review_list(client: CallerSession, params: protocol.ReviewListParams) -> protocol.ReviewListResult:
    if params.uri is None and params.run is None:
        raise UsageError("mux.review.list needs a uri, a run, or both.")
    file = None
    if params.uri is not None:
        file = path_of(params.uri)
        if file is None:
            raise UsageError(f"{params.uri} is not a file.")
        found = select.candidates_at(client.engine.review, file)
    else:
        run = client.engine.registry.run(params.run or "")
        changes = select.changes_of(run, params.paths) if run.discarded is None else ()
        found = select.candidates(client.engine.review, run, changes)
    wanted = [one for one in found if params.run in {None, one.run.id}]
    documents = client.documents
    tasks = {one.run.task: client.engine.registry.task(one.run.task) for one in wanted}
    by_path, encoding = documents.by_path(), documents.encoding

    def listed() -> list[protocol.ReviewItem]:
        return [
            convert.review_item(root, item, resolutions, encoding)
            for root, item, resolutions in _with_resolutions(wanted, tasks, by_path)
            if file is None or root / item.live.path == file
        ]

    return protocol.ReviewListResult(items=await asyncio.to_thread(listed))


async def review_places(client: CallerSession, params: protocol.ReviewPlacesParams) -> protocol.ReviewPlacesResult:
    return await asyncio.to_thread(wire_places.places, await client.views.require_view(params.uri))


async def variant_show(client: CallerSession, params: protocol.VariantShowParams) -> protocol.VariantShowResult:
    found = await client.views.require_view(params.uri)
    located = found.find(params.run, params.hunk)
    if located is None or not located.place.is_open:
        raise UsageError(
            f"{printable(params.run)} has no such change waiting in {params.uri} (it may have changed while the "
            "agent works); mux.review.places lists those there are."
        )
    choice = located.place.open_variants
    first = choice.index(located.variant) if located.variant in choice else 0
    shown = (first + params.step) % len(choice)
    client.views.show(found, located.place, choice[shown])
    variant = choice[shown]
    return protocol.VariantShowResult(run=variant.run, hunk=variant.hunk_id, shown=shown, total=len(choice))


async def hunk_accept(client: CallerSession, params: protocol.HunkAcceptParams) -> protocol.AcceptResult:
    selection = await client.decisions.select(params.run, hunks=params.hunks, how=AcceptMode(params.mode))
    return await client.decisions.accept(selection)


async def file_accept(client: CallerSession, params: protocol.FileAcceptParams) -> protocol.AcceptResult:
    how, result = AcceptMode(params.mode), params.result
    selection = await client.decisions.select(
        params.run, paths=[params.path], hunks=_hunks(params), how=how, result=result
    )
    return await client.decisions.accept(selection)


async def run_accept(client: CallerSession, params: protocol.RunAcceptParams) -> protocol.AcceptResult:
    how, result = AcceptMode(params.mode), params.result
    selection = await client.decisions.select(params.run, paths=params.paths, how=how, result=result)
    return await client.decisions.accept(selection)


async def hunk_reject(client: CallerSession, params: protocol.HunkRejectParams) -> protocol.RejectResult:
    run = client.engine.registry.run(params.run)
    return await client.decisions.reject(run.id, hunks=params.hunks, shared=params.shared)


async def file_reject(client: CallerSession, params: protocol.FileParams) -> protocol.RejectResult:
    return await client.decisions.reject(params.run, paths=[params.path], hunks=_hunks(params))


async def run_reject(client: CallerSession, params: protocol.RunReviewParams) -> protocol.RejectResult:
    return await client.decisions.reject(params.run, paths=params.paths)


def _hunks(params: protocol.FileParams) -> list[str] | None:
    """Return None for all changes of a file, or an id that selects only the change outside its hunks."""
    return None if params.what == "all" else [""]


def _with_resolutions(
    candidates: list[FileReview], tasks: Mapping[str, Task], documents: Mapping[Path, Document]
) -> list[tuple[Path, Item, tuple[AcceptMode, ...]]]:
    """Return each item of the candidates with its root, and the possible resolutions of those in conflict."""
    held: dict[tuple[str, tuple[str, ...]], list[Item]] = {}
    found = []
    for candidate, items in evaluate_changes(candidates, documents):
        place = (candidate.run.task, candidate.change.paths)
        if place not in held and any(item.status is HunkStatus.CONFLICT for item in items):
            # Computed once for all runs that change the file.
            competing = select.competing_changes(
                tasks[candidate.run.task], frozenset(candidate.change.paths), candidate.reviews
            )
            judged = [item for _, of_one in evaluate_changes(competing, documents) for item in of_one]
            held[place] = [item for item in judged if item.text_status is HunkStatus.APPLIED]
        others = held.get(place, [])
        found += [(candidate.root, item, available_resolutions([*others, *items], item).names) for item in items]
    return found
