"""What a person asks for when a task begins, and what agents get to read of it."""

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
    """A prompt and whatever comes with it. `clients` are those whose unsaved buffers go into the snapshot."""

    folder: Path
    prompt: str
    choices: tuple[AgentChoice, ...] = ()
    checks: tuple[str, ...] | None = None
    context: tuple[tuple[Path, int | None, int | None], ...] = ()
    clients: tuple[Client, ...] = ()
    priority: int = 0
    stop_after: int | None = None
    """So many equal results that passed every check end the runs that are left; None for what the settings say."""
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    parent: str | None = None
    """The run whose agent asks; None where a person does."""


def context_of(root: Path, file: Path, start: int | None, end: int | None) -> Context:
    """A place in the repository. Raises UsageError where the file is not in it."""
    if not file.is_relative_to(root):
        raise UsageError(f"{file} is not inside the repository {root}; context must be.")
    return Context(file.relative_to(root).as_posix(), start, end)
