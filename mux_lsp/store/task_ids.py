"""Make ids of tasks: short, and never a word, a command's name or a number."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

# No vowels, no characters that are easily confused, and always a digit: so an id is never a word of any language, nor a
# command's name, nor a number.
_LETTERS: Final = "bcdfghjkmnpqrstvwxz"
_DIGITS: Final = "23456789"
_MIN_ID_LENGTH: Final = 3


def new_task_id(taken: Collection[str]) -> str:
    """Make an id that is not taken: three characters, or more once a quarter of the ids of that length are taken."""
    length = _MIN_ID_LENGTH
    while sum(len(one) == length for one in taken) * 4 > _count(length):
        length += 1
    while True:
        rest = "".join(secrets.choice(_LETTERS + _DIGITS) for _ in range(length - 1))
        new = secrets.choice(_LETTERS) + rest
        if new not in taken and any(character in _DIGITS for character in rest):
            return new


def _count(length: int) -> int:
    letters, all_of_them = len(_LETTERS), len(_LETTERS) + len(_DIGITS)
    rest = length - 1
    return int(letters * (all_of_them**rest - letters**rest))
