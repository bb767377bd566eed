"""Define a request to start a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.core.model import AgentChoice, Context
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.state.clients import Client


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A prompt with its options. `clients` are those whose unsaved buffers are included in the snapshot."""

    folder: Path
    prompt: str
    choices: tuple[AgentChoice, ...] = ()
    checks: tuple[str, ...] | None = None
    context: tuple[tuple[Path, int | None, int | None], ...] = ()
    clients: tuple[Client, ...] = ()
    priority: int = 0
    stop_after: int | None = None
    """Number of equal results that pass every check, after which the remaining runs are ended; None for the setting."""
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    parent: str | None = None
    """The run whose agent starts the task; None if a person does."""


def context_of(root: Path, file: Path, start: int | None, end: int | None) -> Context:
    """Return a place in the repository, with a relative path. Raises UsageError if the file is outside."""
    if not file.is_relative_to(root):
        raise UsageError(f"{file} is not inside the repository {root}; context must be.")
    return Context(file.relative_to(root).as_posix(), start, end)
