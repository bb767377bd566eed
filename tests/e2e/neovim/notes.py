"""Provide the lines of `notes.txt`, and agents that change them."""

from __future__ import annotations

from tests.support.person import text_of

WRITTEN = text_of(range(1, 11)).splitlines()


def replaced(*numbers: int) -> list[str]:
    """Return the lines of `notes.txt` with these in capitals."""
    return [line.upper() if int(line.split()[1]) in numbers else line for line in WRITTEN]


def capitals(*numbers: int) -> str:
    """Return the command of an agent that writes these lines in capitals."""
    return "sed -i " + " ".join(f"-e 's/^line {number}$/LINE {number}/'" for number in numbers) + " notes.txt"
