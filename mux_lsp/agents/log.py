"""What agents print: read it, be told when it grows, and make it harmless to show."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mux_lsp.agents.files import open_to_read
from mux_lsp.agents.process import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

Stream = Literal["stdout", "stderr"]

_DEBOUNCE_MS: Final = 100
_STEP_MS: Final = 50


@dataclass(frozen=True, slots=True)
class Growth:
    """There may be more to read in a stream of a run."""

    run: str
    stream: Stream


def read_log(run_folder: Path, stream: str, offset: int, limit: int) -> tuple[bytes, int]:
    """Up to `limit` bytes of a run's output, or of another file in its folder, and the offset to go on from.

    Nothing, and the same offset, at the end or where there is no output yet.
    """
    try:
        with open_to_read(run_folder / stream) as file:
            file.seek(offset)
            data = file.read(limit)
    except OSError:
        data = b""
    if len(data) == limit:
        data = _without_half_a_character(data)
    return data, offset + len(data)


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


async def watch_growth(runs: Path, stop: asyncio.Event | None = None) -> AsyncGenerator[frozenset[Growth], None]:
    """Tell which outputs of the folders in `runs` have grown, together at most every 100 ms, until `stop` is set.

    One watch serves all runs, also those whose folders come later. What a run prints in the first moments of a new
    folder may go untold until it prints more: read to the end when it has ended. `runs` must exist. Where the loop over
    it may be left early, close it (`contextlib.aclosing`).
    """
    import watchfiles

    # The system names files by their real path.
    folder = await asyncio.to_thread(runs.resolve)
    watch = watchfiles.awatch(
        folder,
        watch_filter=None,
        debounce=_DEBOUNCE_MS,
        step=_STEP_MS,
        stop_event=stop,
        rust_timeout=0,
        force_polling=False,
    )
    async with aclosing(watch):
        async for changes in watch:
            grown = frozenset(
                growth
                for change, path in changes
                if change != watchfiles.Change.deleted and (growth := _growth(folder, Path(path)))
            )
            if grown:
                yield grown


def _growth(folder: Path, file: Path) -> Growth | None:
    if file.parent.parent != folder:
        return None
    if file.name == STDOUT:
        return Growth(file.parent.name, STDOUT)
    if file.name == STDERR:
        return Growth(file.parent.name, STDERR)
    return None


# ECMA-48 control sequences (colours, cursor), operating system commands and other strings (titles, links, the
# clipboard), and the short escapes: dropped whole where they are whole, since their letters would only clutter.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x18\x1a\x1b\n\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-NQ-WYZ`-~]"
)
_CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LINE_END: Final = re.compile(r"\r\n|\r")


def printable(text: str) -> str:
    """The text without anything that drives a terminal or reorders what is seen; newlines and tabs stay.

    Escape sequences vanish. Any control character left over shows as a sign of its own (`␛`, `<U+202E>`), so that
    nothing is hidden. A lone carriage return, by which programs redraw a line, begins a new line.
    """
    return _CONTROLS.sub(_visible, _LINE_END.sub("\n", _ESCAPES.sub("", text)))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"
