"""What agents print: read it, be told when it grows, and make it harmless to show."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mux_lsp.agents.bounded import is_output, left_out, read_around, trim
from mux_lsp.agents.files import open_to_read
from mux_lsp.agents.fs_watch import tell, watch_kept_up
from mux_lsp.agents.process import STDERR, STDOUT
from mux_lsp.agents.transcript import TRANSCRIPT

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, Callable

Stream = Literal["stdout", "stderr"]

STREAMS: Final[tuple[Stream, ...]] = (STDOUT, STDERR)

_DEBOUNCE_MS: Final = 100
_STEP_MS: Final = 50


@dataclass(frozen=True, slots=True)
class Growth:
    """There may be more to read in a stream of a run."""

    run: str
    stream: Stream


def read_log(run_folder: Path, stream: str, offset: int, limit: int) -> tuple[bytes, int]:
    """Up to `limit` bytes of a run's output, or of another file in its folder, and the offset to go on from.

    Nothing, and the same offset, at the end or where there is no output yet. Where some was left out, a line says how
    much; it does not count.
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
    """Without the beginning of a UTF-8 sequence at the end, whose rest the next piece would have."""
    for length in range(1, min(4, len(data))):
        first = data[-length]
        if first & 0xC0 != 0x80:
            expected = 1 + (first >= 0xC0) + (first >= 0xE0) + (first >= 0xF0)
            return data[:-length] if length < expected else data
    return data


def size_of(run_folder: Path, stream: Stream) -> int:
    """How many bytes there are of a run's output."""
    try:
        return (run_folder / stream).lstat().st_size
    except OSError:
        return 0


def read_text(run_folder: Path, stream: str, offset: int, limit: int) -> tuple[str, int]:
    """As `read_log`, made harmless to show. A character that is only half there yet is left for the next time."""
    data, position = read_log(run_folder, stream, offset, limit)
    try:
        return printable(data.decode()), position
    except UnicodeDecodeError as error:
        half = error.reason == "unexpected end of data" and error.end == len(data)
        if half and error.start:
            data, position = data[: error.start], offset + error.start
        return printable(data.decode(errors="replace")), position


async def watch_growth(runs: Path, most: Callable[[], int]) -> AsyncGenerator[frozenset[Growth], None]:
    """Tell which outputs of the folders in `runs` have grown, together at most every 100 ms: first all there are, when
    the watch is in place, since anything may have been printed by then.

    One watch serves all runs, also those whose folders come later: a new folder counts as grown, since what is printed
    in its first moments may come before the watch of it. `runs` must exist. Where the loop over it may be left early,
    close it (`contextlib.aclosing`).

    An output that grows is kept in `most` bytes of the disk, wherever it is below `runs`.
    """
    # The system names files by their real path.
    folder = await asyncio.to_thread(runs.resolve)
    loop = asyncio.get_running_loop()
    grown: set[Growth] = set()
    news = asyncio.Event()

    def note(found: frozenset[Growth]) -> None:
        grown.update(found)
        news.set()

    # What is printed where nothing can be watched is told all the same when its agent has ended.
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


# ECMA-48 control sequences (colours, cursor), operating system commands and other strings (titles, links, the
# clipboard), and the short escapes: dropped whole where they are whole, since their letters would only clutter.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x18\x1a\x1b\n\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-NQ-WYZ`-~]"
)
_DRIVING: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSEEN: Final = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What no font shows (Unicode's Default_Ignorable_Code_Point). A whole sentence can be written in it, and a program
reads it all the same."""

_CONTROLS: Final = re.compile(f"[{_DRIVING}]")
_CONTROLS_AND_UNSEEN: Final = re.compile(f"[{_DRIVING}{_UNSEEN}]")
_LINE_END: Final = re.compile(r"\r\n|\r")


def printable(text: str) -> str:
    """The text without anything that drives a terminal or reorders what is seen; newlines and tabs stay.

    Escape sequences vanish. Any control character left over shows as a sign of its own (`␛`, `<U+202E>`), so that
    nothing is hidden. A lone carriage return, by which programs redraw a line, begins a new line.
    """
    return _CONTROLS.sub(_visible, _LINE_END.sub("\n", _ESCAPES.sub("", text)))


def exact(text: str) -> str:
    """The same with nothing left out, for what a person decides on: a shell runs what stands in an escape sequence."""
    return _CONTROLS_AND_UNSEEN.sub(_visible, text.replace("\r", "\u240d"))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"
