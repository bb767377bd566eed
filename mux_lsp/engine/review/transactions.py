"""Carry out accepts as transactions: journalled before their first byte, then complete or undone after any crash.

An accept is staged (`engine.working_tree.staging`), recorded in the journal, written (`engine.working_tree.steps`),
applied by an editor if that has a part in it, and put on record in one transaction with everything that belongs to
it. It is on record exactly if it is complete. A daemon that finds one under way rolls it forward, or back if the
person has touched a file meanwhile or the editor had not applied its part.

This module is longer than most: an accept and the record of all accepts change the same private state, step by step.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.core import text
from mux_lsp.core.history import ChangeKey
from mux_lsp.core.phrases import few_with_commas
from mux_lsp.core.transaction import Intent, Phase
from mux_lsp.engine.review.presence import key_of
from mux_lsp.engine.review.rejections import taken_back
from mux_lsp.engine.working_tree import staging
from mux_lsp.engine.working_tree.recovery import Recovered, RecoveryOutcome, recover, roll_back, sweep, written_late
from mux_lsp.engine.working_tree.steps import Looks, Steps
from mux_lsp.engine.working_tree.tree import alone_in, opened
from mux_lsp.errors import ConflictError, MuxError
from mux_lsp.faults import fault
from mux_lsp.store.acceptances import Row
from mux_lsp.store.codec import dumps, loads
from mux_lsp.store.pending_accepts import Accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence

    from mux_lsp.core.model import Task
    from mux_lsp.engine.review.history import History
    from mux_lsp.engine.review.items import PathPlan
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.engine.state.clients import Client
    from mux_lsp.engine.working_tree.tree import Tree
    from mux_lsp.store.journal import Journal
    from mux_lsp.store.pending_accepts import Pending

log = logging.getLogger(__name__)

UNDECIDED_SECONDS: Final = 20.0
"""Seconds after its start for which a daemon waits for an editor to show whether it applied its part of an accept."""

REMEMBERED_SECONDS: Final = 30 * 86_400.0
"""Seconds for which an interrupted accept is kept whose folder no longer exists."""

NAMED: Final = 8
"""Maximum number of files that one sentence names."""


@dataclass(frozen=True, slots=True)
class _Undecided:
    """Accept for which only a text can show whether an editor applied its part."""

    intent: Intent
    phase: Phase
    at: float


class Transactions:
    """Accepts that are under way. Lives on one event loop.

    `notify` shows the person a sentence, `spawn` runs a coroutine in the background. Call `recover` first, before
    anything else reads the journal, then `serve`.
    """

    def __init__(
        self,
        journal: Journal,
        state: Path,
        notify: Callable[[str], None],
        spawn: Callable[[Coroutine[None, None, None]], object],
    ) -> None:
        self._journal = journal
        self._prefix = f"{hashlib.sha256(str(state).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}-"
        self._kept = state / "kept"
        self._notify = notify
        self._spawn = spawn
        self._history: History
        self._applied: Callable[[Intent, Client | None], frozenset[ChangeKey]]
        self._ended: Callable[[Accepted], None] = lambda _: None
        self._undecided: dict[str, _Undecided] = {}
        self._unrecorded: dict[str, Accepted] = {}
        self._staged: dict[str, Intent] = {}
        """Unrecorded accepts whose staging folders still exist."""
        self._settled = asyncio.Condition()
        self._alarm: asyncio.TimerHandle | None = None

    def serve(
        self,
        history: History,
        applied: Callable[[Intent, Client | None], frozenset[ChangeKey]],
        ended: Callable[[Accepted], None],
    ) -> None:
        """Carry out accepts from now on.

        `applied` returns which of an intent's carried changes any text has now, including the last text of a client
        that has gone; it is called in a thread. `ended` is called with the records that were written.
        """
        self._history, self._applied, self._ended = history, applied, ended
        if any(one.phase is Phase.ASKING for one in self._undecided.values()):
            self._alarm = asyncio.get_running_loop().call_later(UNDECIDED_SECONDS, self._ring)

    # Accepts

    async def begin(  # noqa: PLR0913  (all parts of an accept)
        self,
        selection: Selection,
        task: Task,
        rows: Mapping[ChangeKey, Row],
        written: Sequence[PathPlan],
        carried: Sequence[PathPlan],
        *,
        client: str,
        discard: Collection[str] = (),
        phase: Phase = Phase.WRITING,
    ) -> Transaction:
        """Stage an accept and record it as under way. `rows` is its record once it is complete.

        `written` is the part that the daemon writes, `carried` the part that an editor applies. Raises ConflictError
        if the disk is not as expected, or MuxError; nothing is staged then.
        """
        self._record_all()
        name = self._prefix + secrets.token_hex(4)
        writes = [write for plan in written for write in plan.writes()]
        paths = frozenset(path for plan in carried for path in plan.paths)

        def prepare() -> tuple[Intent, str]:
            with opened(selection.root) as tree:
                refuse_replaced(tree, task)
                plan = staging.stage(tree, name, writes) if writes else staging.StagingPlan((), (), ())
                intent = Intent(
                    name,
                    str(selection.root),
                    tree.identity,
                    selection.run.id,
                    client,
                    steps=plan.steps,
                    stages=plan.stages,
                    modes=plan.modes,
                    carried=tuple(tuple(key_of(item)) for item in selection.placed if item.live.path in paths),
                    paths=tuple(sorted(paths)),
                    rows=tuple(map(tuple, rows.values())),
                    keys=tuple(map(tuple, rows)),
                    displaced=tuple(tuple(key_of(item)) for item in selection.displaced),
                    chosen=tuple((path, *sorted(ids)) for path, ids in selection.chosen),
                    discard=tuple(discard),
                )
                return intent, dumps(intent)

        intent, data = await asyncio.to_thread(prepare)
        fault("accept.prepared")
        try:
            self._journal.begin_accept(name, phase, data)
        except BaseException:
            await asyncio.to_thread(_remove, intent)
            raise
        fault("accept.noted")
        return Transaction(self, selection, intent)

    async def offer(self, selection: Selection, task: Task, rows: Mapping[ChangeKey, Row], client: str) -> None:
        """Record that an editor gets the edit of a selection: it may apply it while no daemon is running."""
        with contextlib.suppress(MuxError):  # a failure is logged where it matters: when the accept is recorded
            await self.begin(selection, task, rows, (), selection.plans, client=client, phase=Phase.OFFERED)

    # Accepts that an earlier daemon left

    async def recover(self, roots: Iterable[Path]) -> None:
        """Complete or undo the accepts that an earlier daemon left under way. Must precede all other reads of the
        journal.

        Raises MuxError if the journal cannot be written.
        """
        pending = self._journal.pending_accepts()
        for one in pending:
            try:
                intent = loads(Intent, one.data)
            except ValueError as error:
                log.error("the accept %s cannot be read (%s) and is left as it is", one.id, error)
                continue
            if one.phase in {Phase.ASKING, Phase.OFFERED}:
                self._undecided[one.id] = _Undecided(intent, one.phase, one.at)
            else:
                await self._end(intent, one)
        names = frozenset(one.id for one in pending)
        await asyncio.to_thread(sweep, tuple(roots), self._prefix, names)

    def text_seen(self, file: Path, *, opened: bool) -> None:
        """Process a text of a file that a client has opened or changed."""

        def shows(one: _Undecided) -> bool:
            return _is_of(one.intent, file) and (opened or one.phase is Phase.ASKING)

        if any(map(shows, self._undecided.values())):
            # The editor may still be applying its part: a text without it decides nothing yet.
            self._spawn(self._settle(shows, wait=True))

    async def settle(self, root: Path) -> None:
        """Decide the undecided accepts in a working tree by the current texts."""
        if any(one.intent.root == str(root) and one.phase is Phase.ASKING for one in self._undecided.values()):
            await self._settle(lambda one: one.intent.root == str(root) and one.phase is Phase.ASKING)

    async def decided(self) -> None:
        """Wait until no accept is undecided."""
        async with self._settled:
            await self._settled.wait_for(lambda: not self._undecided)

    def close(self) -> None:
        """Cancel the timer."""
        if self._alarm is not None:
            self._alarm.cancel()

    # Internals

    def _ring(self) -> None:
        self._spawn(self._settle(lambda one: one.phase is Phase.ASKING))

    async def _settle(self, which: Callable[[_Undecided], bool], *, wait: bool = False) -> None:
        async with self._settled:
            for id_, one in list(self._undecided.items()):
                if not which(one):
                    continue
                applied = await asyncio.to_thread(self._applied, one.intent, None)
                if wait and not applied and one.phase is Phase.ASKING:
                    continue
                del self._undecided[id_]
                if one.phase is Phase.OFFERED and not applied:
                    self._journal.end_accept(id_)
                elif applied:
                    self._record_found(one.intent, one.at, self._rows(one.intent, but_carried=True, also=applied))
                    await asyncio.to_thread(_remove, one.intent)
                else:
                    await self._give_up(one.intent, one.at)
            self._settled.notify_all()

    async def _end(self, intent: Intent, pending: Pending) -> None:
        """Complete or undo an accept that was interrupted while files were written."""
        back = pending.phase is Phase.UNDOING or bool(intent.carried)
        found = await self._recover(intent, back=back)
        if found is None:
            return
        if found.outcome is RecoveryOutcome.ABSENT and pending.at < time.time() - REMEMBERED_SECONDS:
            self._journal.end_accept(intent.id)
            return
        if found.outcome is RecoveryOutcome.ABSENT:
            self._notify(
                f"An accept of {intent.run} in {intent.root} was cut off, and that folder is not there now: mux-lsp "
                "looks for it again when it starts the next time."
            )
            return
        if found.outcome is RecoveryOutcome.REPLACED:
            self._journal.end_accept(intent.id)
            self._notify(
                f"An accept of {intent.run} in {intent.root} was cut off, and another folder stands there now: nothing "
                f"was written to it. `mux-lsp accept {intent.run}` does it anew."
            )
            return
        if found.outcome is RecoveryOutcome.FORWARD:
            self._record_found(intent, pending.at, self._rows(intent))
            self._notify(f"An accept of {intent.run} was cut off, and was completed now.")
        else:
            self._record_back(intent, pending.at, found)
        await asyncio.to_thread(_remove, intent)

    async def _give_up(self, intent: Intent, at: float) -> None:
        """Undo the part of an accept that the daemon has written."""
        found = await self._recover(intent, back=True)
        if found is None or found.outcome is RecoveryOutcome.ABSENT:
            return
        self._record_back(intent, at, found)
        await asyncio.to_thread(_remove, intent)

    async def _recover(self, intent: Intent, *, back: bool) -> Recovered | None:
        try:
            return await asyncio.to_thread(recover, intent, self._kept, back=back)
        except OSError as error:
            self._notify(
                f"An accept of {intent.run} in {intent.root} was cut off, and what was written cannot be put back "
                f"({error.strerror or error}): mux-lsp tries again when it starts the next time."
            )
            return None

    def _record_found(self, intent: Intent, at: float, rows: Sequence[tuple[ChangeKey, Row]]) -> None:
        """Record an accept that an earlier daemon began at the time `at`."""
        keys = [*(key for key, _ in rows), *(ChangeKey(*one) for one in intent.displaced)]
        self._put_on_record(intent, [row for _, row in rows], keys, before=at)

    def _record_back(self, intent: Intent, at: float, found: Recovered, what: str = "was cut off") -> None:
        """Record what is left of an accept that was undone: the files that the person has changed since."""
        rows = [row for _, row in self._rows(intent) if loads(str, row.path) in found.stays]
        if rows:
            self._journal.end_accept(intent.id, Accepted(intent.run, rows, (), at, (), {}, (), 0.0))
        else:
            self._journal.end_accept(intent.id)
        why = f", since {_listed(found.touched)} changed meanwhile" if found.touched else ""
        again = f"`mux-lsp accept {intent.run}` does it anew"
        words = f"An accept of {intent.run} {what}, and was undone{why}: {again}."
        if found.stays:
            words += f" What you have changed since stays as it is: {_listed(found.stays)}."
        if found.copies is not None:
            words += f" Copies of what was there before are in {found.copies}."
        self._notify(words)

    def _rows(
        self, intent: Intent, *, but_carried: bool = False, also: Collection[ChangeKey] = ()
    ) -> list[tuple[ChangeKey, Row]]:
        carried = {ChangeKey(*one) for one in intent.carried} if but_carried else set()
        pairs = [(ChangeKey(*key), Row(*row)) for key, row in zip(intent.keys, intent.rows, strict=True)]
        return [(key, row) for key, row in pairs if key not in carried or key in also]

    def _put_on_record(
        self, intent: Intent, rows: Sequence[Row], withdrawn: Sequence[ChangeKey], before: float | None = None
    ) -> None:
        chosen = {path: ids for path, *ids in intent.chosen}
        known: dict[str, set[str]] = {}
        for one in self._journal.rejections(intent.run):
            known.setdefault(one.path, set()).add(one.hunk)
        back = [(path, hunk) for path in known for hunk in taken_back(known[path], chosen.get(path, ()))]
        now = round(time.time(), 3)
        self._unrecorded[intent.id] = Accepted(intent.run, rows, withdrawn, before, back, chosen, intent.discard, now)
        self._ended(self._unrecorded[intent.id])
        try:
            self._record_all()
        except MuxError:
            self._staged[intent.id] = intent
            raise

    def _record_all(self) -> None:
        """Record completed accepts. Those that the journal refuses now are recorded later, also by the next daemon."""
        for id_, accepted in list(self._unrecorded.items()):
            fault("accept.record")
            self._journal.end_accept(id_, accepted)
            fault("accept.recorded")
            del self._unrecorded[id_]
            if (staged := self._staged.pop(id_, None)) is not None:
                self._spawn(asyncio.to_thread(_remove, staged))


class Transaction:
    """Accept that is recorded as under way: to be written, sent to an editor, and ended by `finish` or `undo`."""

    def __init__(self, owner: Transactions, selection: Selection, intent: Intent) -> None:
        self._owner = owner
        self._selection = selection
        self._intent = intent
        self._at = time.time()
        self._looks: Mapping[int, Looks] = {}
        """Time and size of the person's files that were replaced, by step."""

    async def write(self) -> None:
        """Write the daemon's part completely. Raises ConflictError or MuxError; call `undo` then."""
        if self._intent.steps:
            self._looks = await asyncio.to_thread(_write, self._intent)

    def asking(self) -> None:
        """Record that an editor is asked for its part from now on."""
        self._owner._journal.advance_accept(self._intent.id, Phase.ASKING)
        fault("accept.asking")

    async def unanswered(self, client: Client) -> None:
        """Handle a client that disconnected before it answered: record what its text or the disk has now, else undo."""
        owner, intent = self._owner, self._intent
        if applied := await asyncio.to_thread(owner._applied, intent, client):
            owner._record_found(intent, self._at, owner._rows(intent, but_carried=True, also=applied))
            await asyncio.to_thread(_remove, intent)
        else:
            await self.undo()

    async def undo(self) -> None:
        """Undo the daemon's part and forget the accept. Raises MuxError if something cannot be put back.

        Files that the person has changed since stay, are recorded, and are named to the person.
        """
        owner, intent = self._owner, self._intent
        found = None
        if intent.steps:
            try:
                found = await asyncio.to_thread(roll_back, intent, owner._kept)
            except (OSError, ConflictError) as error:
                # This applies also if the folder is gone: a refused accept must not be completed when it comes back.
                owner._journal.advance_accept(intent.id, Phase.UNDOING)
                why = error.strerror if isinstance(error, OSError) else "the folder is not there"
                raise MuxError(
                    f"What was written of {intent.run} in {intent.root} could not be put back ({why}): "
                    "mux-lsp tries again when it starts the next time."
                ) from error
        if found is not None and (found.stays or found.copies is not None):
            owner._record_back(intent, time.time(), found, "was given up")
        else:
            owner._journal.end_accept(intent.id)
        await asyncio.to_thread(_remove, intent)

    async def finish(self) -> None:
        """Record the accept as complete."""
        owner, intent = self._owner, self._intent
        rows, withdrawn = owner._history.settled(self._selection, owner._rows(intent))
        try:
            owner._put_on_record(intent, rows, withdrawn)
        except MuxError as error:
            # All of it is in the person's text, and the next daemon will record it: an error would look like a refusal.
            log.error("what was accepted of %s could not be put on record yet: %s", intent.run, error)
            # The mark in staging shows the next daemon that it was complete, whatever the person changes until then.
            await asyncio.to_thread(_mark, intent)
            return
        if self._looks and (late := await asyncio.to_thread(written_late, intent, self._looks, owner._kept)):
            owner._notify(
                f"Another program has written to files that it had open while {intent.run} was accepted: copies of "
                f"them are in {late}."
            )
        await asyncio.to_thread(_remove, intent)
        fault("accept.finished")


def _listed(paths: Collection[str]) -> str:
    return few_with_commas([text.shown_path(path) for path in sorted(paths)], NAMED)


def _is_of(intent: Intent, file: Path) -> bool:
    return any(f"{intent.root}/{path}" == str(file) for path in intent.paths)


def refuse_replaced(tree: Tree, task: Task) -> None:
    """Raise ConflictError if a working tree is not the folder that a task's snapshot was taken of."""
    if task.identity not in {None, tree.identity}:
        raise ConflictError(
            f"{tree.root} is another folder than the one that {task.id} started from; nothing was written. "
            "`mux-lsp diff RUN` has what a run changed, as a patch."
        )


def _write(intent: Intent) -> Mapping[int, Looks]:
    root = Path(intent.root)
    with alone_in(root), opened(root) as tree, staging.staged(tree, intent.id, intent.stages) as folders:
        return Steps(tree, intent, folders).write_all()


def _mark(intent: Intent) -> None:
    with contextlib.suppress(ConflictError, OSError), opened(Path(intent.root)) as tree:
        staging.mark_whole(tree, intent.id, intent.stages)


def _remove(intent: Intent) -> None:
    if intent.steps:
        with contextlib.suppress(ConflictError), opened(Path(intent.root)) as tree:
            staging.remove(tree, intent.id, intent.stages)
