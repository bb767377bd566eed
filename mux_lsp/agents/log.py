"""Read what agents print, and report when it grows."""

from __future__ import annotations

import asyncio
import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mux_lsp.agents.bounded import is_output, left_out, read_around, trim
from mux_lsp.agents.files import open_to_read
from mux_lsp.agents.fs_watch import tell, watch_kept_up
from mux_lsp.agents.process import STDERR, STDOUT
from mux_lsp.agents.transcript import TRANSCRIPT
from mux_lsp.core.sanitize import printable

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, Callable

Stream = Literal["stdout", "stderr"]

STREAMS: Final[tuple[Stream, ...]] = (STDOUT, STDERR)

_DEBOUNCE_MS: Final = 100
_STEP_MS: Final = 50


@dataclass(frozen=True, slots=True)
class Growth:
    """A stream of a run that may have more to read."""

    run: str
    stream: Stream


def read_log(run_folder: Path, stream: str, offset: int, limit: int) -> tuple[bytes, int]:
    """Return up to `limit` bytes of a run's output, or of another file in its folder, and the offset to continue from.

    Returns no bytes and the same offset at the end, or if there is no output yet. If bytes were omitted, a line with
    their number is inserted; it does not count in the offset.
    """
    try:
        with open_to_read(run_folder / stream) as file:
            data, start = read_around(file, offset, limit)
    except OSError:
        data, start = b"", offset
    if len(data) == limit:
        data = _without_half_a_character(data)
    end = start + len(data)
    if start == offset:
        return data, end
    words = left_out(start - offset)
    if stream == TRANSCRIPT:
        words, data = json.dumps({"at": 0, "kind": "notice", "text": words}), data.partition(b"\n")[2]
    return f"\n{words}\n".encode() + data, end


def _without_half_a_character(data: bytes) -> bytes:
    """Remove an incomplete UTF-8 sequence from the end of a piece: the next piece begins with it."""
    for length in range(1, min(4, len(data))):
        first = data[-length]
        if first & 0xC0 != 0x80:
            expected = 1 + (first >= 0xC0) + (first >= 0xE0) + (first >= 0xF0)
            return data[:-length] if length < expected else data
    return data


def size_of(run_folder: Path, stream: Stream) -> int:
    """Return the size of a run's output in bytes; 0 without output."""
    try:
        return (run_folder / stream).lstat().st_size
    except OSError:
        return 0


def read_text(run_folder: Path, stream: str, offset: int, limit: int) -> tuple[str, int]:
    """Return the result of `read_log` as text that is safe to display. An incomplete character is left for the next
    call.
    """
    data, position = read_log(run_folder, stream, offset, limit)
    try:
        return printable(data.decode()), position
    except UnicodeDecodeError as error:
        half = error.reason == "unexpected end of data" and error.end == len(data)
        if half and error.start:
            data, position = data[: error.start], offset + error.start
        return printable(data.decode(errors="replace")), position


async def watch_growth(runs: Path, most: Callable[[], int]) -> AsyncGenerator[frozenset[Growth], None]:
    """Yield the outputs of the folders in `runs` that have grown, at most every 100 ms.

    The first value has all outputs, when the watch is in place: anything may have been printed before.

    One watch serves all runs, also those whose folders are created later. A new folder counts as grown, since output of
    its first moments may precede the watch. `runs` must exist. If the loop over it may end early, close it
    (`contextlib.aclosing`).

    An output that grows is trimmed to `most` bytes of the disk, wherever it is below `runs`.
    """
    # The system reports files by their real path.
    folder = await asyncio.to_thread(runs.resolve)
    loop = asyncio.get_running_loop()
    grown: set[Growth] = set()
    news = asyncio.Event()

    def note(found: frozenset[Growth]) -> None:
        grown.update(found)
        news.set()

    # Output that cannot be watched is reported when its agent has ended.
    with watch_kept_up(folder, functools.partial(_watch, folder, most, functools.partial(tell, loop, note))):
        while True:
            await news.wait()
            news.clear()
            told = frozenset(grown)
            grown.clear()
            if told:
                yield told


def _watch(
    folder: Path, most: Callable[[], int], told: Callable[[frozenset[Growth]], None], stop: threading.Event
) -> None:
    from watchfiles import Change
    from watchfiles._rust_notify import RustNotify

    notify = RustNotify([str(folder)], False, False, 0, True, True)
    try:
        told(frozenset(Growth(name, stream) for name in os.listdir(folder) for stream in STREAMS))  # noqa: PTH208  names
        while not isinstance(changes := notify.watch(_DEBOUNCE_MS, _STEP_MS, 0, stop), str):
            grown = [Path(path) for change, path in changes if change != Change.deleted]
            for path in grown:
                if is_output(path.name):
                    trim(path, most())
            told(frozenset(growth for path in grown for growth in _growth(folder, path)))
    finally:
        notify.close()


def _growth(folder: Path, changed: Path) -> tuple[Growth, ...]:
    if changed.parent == folder:
        return Growth(changed.name, STDOUT), Growth(changed.name, STDERR)
    if changed.parent.parent == folder and changed.name in {STDOUT, STDERR}:
        return (Growth(changed.parent.name, STDOUT if changed.name == STDOUT else STDERR),)
    return ()
