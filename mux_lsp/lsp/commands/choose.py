"""Implement the commands that choose between the runs of a task: find, pick, discard and restore runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mux_lsp.core import text
from mux_lsp.core.model import HunkStatus
from mux_lsp.core.phrases import few_with_commas
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review import select
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.engine.state.guards import refuse_discarded
from mux_lsp.errors import ConflictError, UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands.accept import evaluate_changes

if TYPE_CHECKING:
    from mux_lsp.core.model import Run
    from mux_lsp.lsp.commands.caller import CallerSession

MAX_NAMED: Final = 5
"""Maximum number of rejected changes that a refusal names."""


async def id_find(client: CallerSession, params: protocol.IdParams) -> protocol.IdResult:
    return protocol.IdResult(id=client.engine.registry.find(params.id))


async def task_discard(client: CallerSession, params: protocol.DiscardParams) -> protocol.DiscardResult:
    thrown = await client.engine.discards.discard(params.id, params.keep)
    return protocol.DiscardResult(discarded=list(thrown), kept_until=_kept_until(client, thrown))


async def task_restore(client: CallerSession, params: protocol.IdParams) -> protocol.RestoreResult:
    return protocol.RestoreResult(restored=list(await client.engine.discards.restore(params.id)))


async def run_pick(client: CallerSession, params: protocol.RunPickParams) -> protocol.PickResult:
    engine, decisions = client.engine, client.decisions
    run = engine.registry.run(params.run)
    _refuse(run)
    # The runs that the person has chosen between; a run that starts meanwhile is not discarded.
    rest = [one.id for one in engine.registry.task(run.task).active_runs if one.id != run.id]
    reasons = await _rejected(client, run)
    try:
        selection = await decisions.select(run.id, how=AcceptMode(params.mode), result=params.result or run.result)
    except ConflictError as error:
        reasons.insert(0, str(error))
    if reasons:
        raise ConflictError(" ".join([*reasons, f"{run.id} was not picked, and nothing was discarded."]))
    before = {one.id for one in engine.registry.task(run.task).active_runs}
    accepted = await decisions.accept(selection, rest)
    await engine.discards.ended(rest)
    thrown = [one for one in rest if one in before]
    return protocol.PickResult(**accepted.model_dump(), discarded=list(thrown))


async def _rejected(client: CallerSession, run: Run) -> list[str]:
    """Return the sentence that names the rejected changes of a run, which prevent accepting it whole; else []."""
    candidates = select.candidates(client.engine.review, run, run.files)
    judged = await asyncio.to_thread(evaluate_changes, candidates, client.documents.by_path())
    said_no = [
        f"{printable(text.shown_path(one.path))}{f':{item.start + 1}' if item.hunk else ''}"
        for one, items in judged
        for item in items
        if item.status is HunkStatus.REJECTED
    ]
    if not said_no:
        return []
    return [
        f"You rejected {few_with_commas(said_no, MAX_NAMED)}: `mux-lsp accept {run.id}` takes the rest of it, and "
        f"`mux-lsp discard {run.task} --keep {run.id}` throws the other runs away."
    ]


def _kept_until(client: CallerSession, thrown: tuple[str, ...]) -> float | None:
    return client.engine.discards.kept_until(client.engine.registry.run(thrown[0])) if thrown else None


def _refuse(run: Run) -> None:
    """Raise UsageError if a run cannot be accepted as a whole."""
    refuse_discarded(run)
    if not run.state.ended:
        raise UsageError(f"{run.id} is still {run.state}: pick takes a run that has ended.")
    if not run.files:
        raise UsageError(f"{run.id} changes nothing, so there is nothing to pick; `mux-lsp discard` throws runs away.")
