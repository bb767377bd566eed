"""Ask the configured LLM judge to compare a task's results, once all of its runs have ended.

Its opinions are kept on disk, so that nothing is paid for twice. If anything fails, the ranks stay without them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mux_lsp import atomic
from mux_lsp.core.grading import Opinion
from mux_lsp.core.spending import Spent
from mux_lsp.engine import backends
from mux_lsp.engine.ranking import pairwise
from mux_lsp.engine.state.events import TaskChanged
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from mux_lsp.config import Configuration
    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.ranking.pairwise import PairwiseJudge
    from mux_lsp.engine.ranking.service import Rankings
    from mux_lsp.engine.state.events import Event

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LlmJudge:
    """LLM judge of tasks' results. For use on the event loop."""

    folder: Path
    """Folder in which opinions are kept."""
    configuration: Callable[[], Configuration]
    rankings: Rankings
    patch: Callable[[Task, Run], bytes]
    """Returns the patch of a run's result. Called in a thread."""
    admit: Callable[[Task], None]
    """Raises MuxError if nothing more may be spent on a task."""
    charge: Callable[[Task, Spent], None]
    """Records what was spent on behalf of a task."""
    spawn: Callable[[Coroutine[None, None, None]], object]
    """Runs a coroutine until the daemon ends."""
    _known: dict[str, str] = field(default_factory=dict, init=False)
    """By task, the digest of the results that were last judged, or are being judged."""

    def on_event(self, event: Event) -> None:
        """Start judging a task if this event made it ready: all of its runs have ended and its baseline is known."""
        if not isinstance(event, TaskChanged) or self.configuration().judge.agent is None:
            return
        task = event.task
        if event.deleted:
            self._known.pop(task.id, None)
            self.spawn(asyncio.to_thread(_remove, self._file(task.id)))
        elif task.ended and (task.baseline or not task.checks) and self.rankings.ranking(task.id):
            digest = self._digest(task)
            if self._known.get(task.id) != digest:
                self._known[task.id] = digest
                self.spawn(self._compare(task, digest))

    def _digest(self, task: Task) -> str:
        """Return a digest of all that an opinion depends on: the results, and the judge's settings."""
        settings = self.configuration().judge
        about = [
            settings.agent,
            settings.model,
            settings.top,
            [(run.id, run.base, run.result) for run in task.active_runs],
        ]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    def _file(self, task_id: str) -> Path:
        return self.folder / f"{task_id}.json"

    async def _compare(self, task: Task, digest: str) -> None:
        try:
            found = await asyncio.to_thread(_load, self._file(task.id), digest)
            if found is None:
                found = await self._ask(task)
                await asyncio.to_thread(_save, self._file(task.id), digest, found)
            await self.rankings.think(task.id, found)
        except (MuxError, OSError) as error:
            log.warning("the results of %s were not judged: %s", task.id, error)
        except Exception:
            log.exception("a bug in mux-lsp, in having the results of %s judged", task.id)

    async def _ask(self, task: Task) -> dict[str, Opinion]:
        # The ranks may date from before the last run ended.
        await self.rankings.settled(task.id)
        settings = self.configuration().judge
        chosen = pairwise.candidates(self.rankings.ranking(task.id), settings.top)
        if not chosen or settings.agent is None:
            return {}
        patches = {
            run.id: (await asyncio.to_thread(self.patch, task, run)).decode(errors="replace")
            for run in task.runs
            if run.id in chosen
        }
        judge: PairwiseJudge = backends.api_of(self.configuration(), settings.agent, settings.model)
        try:
            return await pairwise.compare_all(
                judge,
                task.prompt,
                patches,
                lambda: self.admit(task),
                lambda usage: self.charge(task, Spent(usage.cost_usd or 0.0, usage.tokens)),
            )
        finally:
            await judge.close()


def _load(file: Path, digest: str) -> dict[str, Opinion] | None:
    """Return the stored opinions on exactly these results, or None."""
    try:
        kept: Any = json.loads(file.read_text(encoding="utf-8"))
        if kept["digest"] != digest:
            return None
        return {run: Opinion(float(one["value"]), str(one["words"])) for run, one in kept["opinions"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _save(file: Path, digest: str, found: dict[str, Opinion]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"digest": digest, "opinions": {run: asdict(one) for run, one in found.items()}}
    atomic.write(file, json.dumps(kept).encode())


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
