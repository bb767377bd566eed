"""Write the daemon's log: one file of bounded size, for the person to read and to attach to a bug report.

What agents and editors say to each other is not logged: prompts and source text are private.
"""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import RotatingFileHandler

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_BYTES = 1_000_000
_MAX_OLDER_FILES = 3

# Libraries that log whole messages at INFO: what an editor sends is source text.
_TOO_TALKATIVE = ("pygls", "asyncio", "git", "httpx2", "httpcore2", "aiohttp", "anthropic", "watchfiles")


def set_up(path: str, *, detached: bool) -> None:
    """Send every record to the file, and also to standard error unless the daemon is detached from any terminal.

    In a detached daemon standard output and error are that file, so that the output of a crash is not lost. They follow
    the file when it is rotated.
    """
    handlers: list[logging.Handler] = [
        _DetachedHandler(
            path, maxBytes=_BYTES, backupCount=_MAX_OLDER_FILES, encoding="utf-8", errors="backslashreplace"
        )
        if detached
        else RotatingFileHandler(
            path, maxBytes=_BYTES, backupCount=_MAX_OLDER_FILES, encoding="utf-8", errors="backslashreplace"
        )
    ]
    if not detached:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(_Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    for name in _TOO_TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Formatter(logging.Formatter):
    """A formatter of one-line messages without characters that could control a terminal: agents choose file names."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = "".join(
            character if character.isprintable() else ascii(character)[1:-1] for character in record.message
        )
        return super().formatMessage(record)


class _DetachedHandler(RotatingFileHandler):
    def doRollover(self) -> None:
        super().doRollover()
        if self.stream is None:  # the log folder is gone, so there is no file to follow
            return
        for descriptor in (1, 2):
            os.dup2(self.stream.fileno(), descriptor)
