"""Decide when a request to a model's server is tried again."""

from __future__ import annotations

import math
import random
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds before the second try, doubled for each further one, and at the most."""

LONGEST_ASKED_FOR: Final = 600.0
"""Seconds that a server may ask to be left alone for. One that wants more is asked earlier all the same."""


def wait_for(number: int, headers: Mapping[str, str]) -> float:
    """Seconds to wait before the next try: what the server asks for, or longer each time, with some chance in it."""
    asked = _asked_for(headers)
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_ASKED_FOR)
    return min(FIRST_WAIT * 2.0 ** (number - 1) * (0.75 + random.random() / 2), LONGEST_WAIT)  # noqa: S311  # to spread load


def _asked_for(headers: Mapping[str, str]) -> float | None:
    """How long the server wants to be left alone, in seconds: `retry-after` is a number of them, or a date."""
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return None
    return seconds if math.isfinite(seconds) else None


class TryAgainError(Exception):
    """The server did not answer, or not to the end, and may do better next time."""

    def __init__(self, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.headers = headers or {}
