"""Decide when a request to a model's server is sent again."""

from __future__ import annotations

import math
import random
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_WAIT_SECONDS: Final = 1.0
MAX_WAIT_SECONDS: Final = 60.0
"""Seconds before the second try, which double for each further one, and their maximum."""

MAX_RETRY_AFTER_SECONDS: Final = 600.0
"""Maximum number of seconds that a server's `retry-after` can delay the next try."""


def wait_for(number: int, headers: Mapping[str, str]) -> float:
    """Return the seconds to wait before the next try: the server's `retry-after`, or a growing time with jitter."""
    asked = _asked_for(headers)
    if asked is not None:
        return min(max(asked, 0.0), MAX_RETRY_AFTER_SECONDS)
    return min(FIRST_WAIT_SECONDS * 2.0 ** (number - 1) * (0.75 + random.random() / 2), MAX_WAIT_SECONDS)  # noqa: S311  # to spread load


def _asked_for(headers: Mapping[str, str]) -> float | None:
    """Return the delay that the server asks for, in seconds. `retry-after` is a number of seconds, or a date."""
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
    """The server did not answer, or its answer broke off, and another try may succeed."""

    def __init__(self, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.headers = headers or {}
