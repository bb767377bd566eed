"""Put counts and lists into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_NAMED: Final = 10
"""Maximum number of names in a sentence, if the caller sets no other."""


def count(number: int, noun: str) -> str:
    """Return `1 file`, `3 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(words: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


def few_of(words: Sequence[str], most: int = MAX_NAMED, total: int = 0) -> str:
    """List the first `most` words as `listed` does, then the number of the remaining ones: `a, b and 7 more`.

    `total` is the number of all words, if the caller has only the first of them.
    """
    shown, left = words[:most], _left(words, most, total)
    return listed([*shown, f"{left} more"] if left else shown)


def few_with_commas(words: Sequence[str], most: int = MAX_NAMED, total: int = 0) -> str:
    """List as `few_of` does, but join the words with commas alone if none is left out: `a, b`."""
    shown, left = ", ".join(words[:most]), _left(words, most, total)
    return f"{shown} and {left} more" if left else shown


def _left(words: Sequence[str], most: int, total: int) -> int:
    return max(total, len(words)) - min(most, len(words))
