"""Repeat a run's conversation for an agent that no longer knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mux_lsp.agents import transcript
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.events import Text
from mux_lsp.agents.transcript import Prompted

if TYPE_CHECKING:
    from pathlib import Path

_MAX_CHARACTERS: Final = 8000
"""Maximum number of characters of the earlier prompts, and of the agent's last words."""


def earlier(run_folder: Path, prompt: str) -> str:
    """Return a further prompt preceded by the earlier prompts and the last answer, for an agent that has lost them."""
    told: list[str] = []
    said = ""
    for entry in transcript.read(run_folder):
        match entry.event:
            case Prompted(text=text) if text != prompt:
                told.append(text)
            case Text(text=text) | FinalWords(text=text):
                said = text
    if not told:
        return prompt
    before = "\n\n".join(told)[-_MAX_CHARACTERS:]
    closing = f"\n\nYour last words were:\n\n{said[-_MAX_CHARACTERS:]}" if said else ""
    return (
        "You have worked in this folder before, and what you did is in its files. "
        f"You were told:\n\n{before}{closing}\n\nNow you are told:\n\n{prompt}"
    )
