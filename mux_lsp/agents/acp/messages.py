"""Write the texts that mux-lsp itself sends to an agent, and the reason for an agent's end."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.log import read_log, size_of
from mux_lsp.agents.process import STDERR
from mux_lsp.core.sanitize import printable

if TYPE_CHECKING:
    from pathlib import Path

_TAIL: Final = 4000
_MAX_LINE_CHARACTERS: Final = 300


class Opening(Enum):
    """The way in which an attempt begins."""

    FRESH = auto()
    """A new session."""
    FURTHER = auto()
    """A further message in an earlier session."""
    AGAIN = auto()
    """The session in which an agent was at work when its daemon ended."""


def going_on(prompt: str) -> str:
    """Return the prompt for an agent that was interrupted while it worked on `prompt`."""
    return (
        "You were stopped while you worked on the message below, and what you were doing may have been cut off in the "
        "middle. Look at what is there already, and go on from it.\n\n" + prompt
    )


def last_words(run_folder: Path) -> str:
    """Return the last line of the agent's standard error, safe to display; "" if it is empty."""
    size = size_of(run_folder, STDERR)
    data, _ = read_log(run_folder, STDERR, max(size - _TAIL, 0), _TAIL)
    lines = [line.strip() for line in printable(data.decode(errors="replace")).splitlines()]
    return next((line[:_MAX_LINE_CHARACTERS] for line in reversed(lines) if line), "")
