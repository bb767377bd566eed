"""Merge a run's result onto a new snapshot of what its person has now, before its agent continues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.core.text import shown_path
from mux_lsp.engine.state.clients import buffers_of
from mux_lsp.git.repository import discover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.core.model import Run
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.engine.state.clients import Client

NAMED = 30
"""Maximum number of conflicting files named to the agent."""


@dataclass(frozen=True, slots=True)
class SyncedBase:
    """The state from which the agent continues: `result` is its work merged into the new snapshot `base`."""

    base: str
    result: str
    conflicts: tuple[str, ...]
    """Files with merge conflicts. Text files among them contain conflict markers."""


def merge_onto_snapshot(room: RepositoryStore, run: Run, buffers: Mapping[str, bytes]) -> SyncedBase:
    """Take a new snapshot, buffers included, and merge a run's result into it. Raises MuxError. For use in a thread."""
    repository = discover(room.root)
    snapshot = room.shadow.snapshot(repository, buffers, snapshot_name(run.id, run.turn + 1))
    room.shadow.complete(snapshot)
    if run.base is None or run.result is None:
        return SyncedBase(snapshot.commit, snapshot.commit, ())
    # The names of these refs appear in conflict markers, and show whose lines are whose.
    ours, theirs = f"refs/mux/results/{run.id}", f"refs/mux/snapshots/{snapshot_name(run.id, run.turn + 1)}"
    tree, conflicts = room.shadow.merge(run.base, ours, theirs)
    result = room.shadow.commit(tree, snapshot.commit, f"mux-lsp: {run.id}, brought up to date")
    # The result that the journal still has is kept: a daemon killed before the new one is recorded continues from it.
    before = f"refs/mux/results/{snapshot_name(run.id, run.turn + 1)}"
    room.shadow.set_refs({f"refs/mux/results/{run.id}": result, before: run.result})
    return SyncedBase(snapshot.commit, result, conflicts)


def unsaved_of(clients: tuple[Client, ...], room: RepositoryStore) -> dict[str, bytes]:
    """Return the unsaved buffers for the new snapshot. Raises UsageError if two clients differ."""
    return buffers_of(clients, room.root)[0]


def unresolved(room: RepositoryStore, run: Run) -> str | None:
    """Describe the conflict markers of the merge that a run has left, or return None. For use in a thread."""
    if run.result is None:
        return None
    left = [path for path in run.merge_conflicts if _is_marked(room.shadow.read_at(run.result, path) or b"")]
    return f"conflict markers are left in {', '.join(map(shown_path, left[:NAMED]))}" if left else None


def _is_marked(content: bytes) -> bool:
    lines = content.splitlines()
    return any(line.startswith(b"<<<<<<< ") for line in lines) and any(line.startswith(b">>>>>>> ") for line in lines)


def snapshot_name(run_id: str, turn: int) -> str:
    """Return the name of the snapshot that a run was brought up to before that turn."""
    return f"{run_id}.{turn}"


def prompt_after_sync(message: str, conflicts: tuple[str, ...]) -> str:
    """Return the message for the agent, extended by what has changed in its files."""
    words = "Your files have been brought up to what I have by now; what I changed meanwhile is in them."
    if conflicts:
        names = "\n".join(f"- {shown_path(path)}" for path in conflicts[:NAMED])
        more = f"\n- … and {len(conflicts) - NAMED} more" if len(conflicts) > NAMED else ""
        words += f"\nYour changes and mine collide in these files. Resolve the conflict markers in them:\n{names}{more}"
    return f"{message}\n\n{words}\n"
