"""Read an agent's raw output and report its events, each exactly once, even if the daemon ends in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mux_lsp.agents import transcript
from mux_lsp.agents.bounded import read_around
from mux_lsp.agents.events import Notice, Session
from mux_lsp.agents.files import open_to_read
from mux_lsp.agents.presets.parser_base import raw
from mux_lsp.agents.presets.preset import is_session
from mux_lsp.agents.transcript import Prompted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mux_lsp.agents.backend import Attempt, Host
    from mux_lsp.agents.events import Event
    from mux_lsp.agents.presets.preset import Parser, Preset

PIECE_BYTES: Final = 1 << 16
"""Maximum number of bytes read at a time. Their lines are parsed and reported on the event loop."""

MAX_LINE_BYTES: Final = 1 << 24
"""Maximum number of bytes of one line. A longer one is split."""


def raw_name(turn: int) -> str:
    """Return the name of the file in the run's folder for the agent's output in a turn."""
    return f"raw-{turn}"


def for_another_turn(preset: Preset, attempt: Attempt) -> Reader:
    """Return a reader of the output from now on, whose parser knows all earlier output."""
    reader = _behind_earlier_turns(preset, attempt)
    for line, _ in reader.lines():  # from an attempt at this turn that a killed daemon had begun
        reader.parser.feed(line)
    reader.parser.finish()
    reader.parser.begin_turn()
    return reader


def taken_up(preset: Preset, attempt: Attempt) -> Reader:
    """Return a reader that continues behind the events of this turn in the transcript."""
    reader = _behind_earlier_turns(preset, attempt)
    last, told = _told(attempt.run_folder)
    # If no line ends at that offset, these events were reported by `finish`.
    reader.told_of_the_end = told
    for line, offset in reader.lines():
        events = reader.parser.feed(line)
        if offset <= last:
            # The omitted bytes had already been read.
            reader.left_out = 0
        if offset < last:
            continue
        if offset == last:
            # The first of this line's events were reported. If more were reported than it has, the others were those of
            # `finish`.
            reader.told_of_the_end = max(0, told - len(events))
            events = events[told:]
        elif offset > last:
            reader.told_of_the_end = 0
        reader.waiting += [(event, offset) for event in events]
    return reader


def _behind_earlier_turns(preset: Preset, attempt: Attempt) -> Reader:
    parser = preset.parser()
    for turn in range(attempt.turn):
        for line, _ in Reader(parser, attempt.run_folder, turn).lines():
            parser.feed(line)
        parser.finish()
        parser.begin_turn()
    return Reader(parser, attempt.run_folder, attempt.turn)


def _told(run_folder: Path) -> tuple[int, int]:
    """Return up to which offset this turn's output was reported, and the number of events reported at that offset."""
    last, told = 0, 0
    for entry in transcript.read(run_folder):
        if isinstance(entry.event, Prompted):
            last, told = 0, 0
        elif entry.offset is not None:
            told = told + 1 if entry.offset == last else 1
            last = entry.offset
    return last, told


class Reader:
    """Reader of one turn's output while it grows."""

    def __init__(self, parser: Parser, run_folder: Path, turn: int) -> None:
        self.parser = parser
        self.waiting: list[tuple[Event, int]] = []
        """Events to report before any other, each with its offset."""
        self.told_of_the_end = 0
        """The number of events of `finish` that an earlier daemon reported."""
        self._file = run_folder / raw_name(turn)
        self._position = 0
        self._rest = b""
        """The part of an incomplete line that has been read."""
        self._cut = False
        """True if the next bytes are the rest of a line whose beginning was omitted."""
        self.left_out = 0
        """The number of bytes that were omitted before they were read, and not reported yet."""

    def lines(self) -> Iterator[tuple[str, int]]:
        """Yield the complete lines that are new since the last call, each with the offset of its end."""
        while piece := self._read():
            yield from self._take(piece)

    async def tell(self, host: Host) -> None:
        """Report the events of all output so far."""
        self._tell_left_out(host)
        for event, offset in self.waiting:
            _emit(host, event, offset)
        self.waiting = []
        while piece := await asyncio.to_thread(self._read):
            self._tell_left_out(host)
            # No await from here on: a piece is taken and reported completely, even if this is cancelled.
            for line, offset in self._take(piece):
                for event in self.parser.feed(line):
                    _emit(host, event, offset)

    def finish(self, host: Host) -> None:
        """Report the remaining events. Call it when there will be no more output."""
        rest, self._rest = self._rest, b""
        events = [*(self.parser.feed(rest.decode("utf-8", "replace")) if rest else []), *self.parser.finish()]
        for event in events[self.told_of_the_end :]:
            _emit(host, event, self._position)

    def _tell_left_out(self, host: Host) -> None:
        if self.left_out:
            host.emit(Notice(f"{self.left_out:,} bytes of its output were left out before they were read."))
            self.left_out = 0

    def _take(self, piece: bytes) -> list[tuple[str, int]]:
        """Return the lines that a piece completes, each with the offset of its end."""
        if self._cut:
            cut, end_of_line, piece = piece.partition(b"\n")
            self._position += len(cut) + len(end_of_line)
            self._cut = not end_of_line
            if self._cut:
                return []
        end = self._position - len(self._rest)
        self._position += len(piece)
        *whole, rest = (self._rest + piece).split(b"\n")
        lines = []
        for line in whole:
            end += len(line) + 1
            lines.append((line.decode("utf-8", "replace"), end))
        if len(rest) > MAX_LINE_BYTES:
            lines.append((rest.decode("utf-8", "replace"), self._position))
            rest = b""
        self._rest = rest
        return lines

    def _read(self) -> bytes:
        try:
            with open_to_read(self._file) as file:
                piece, start = read_around(file, self._position, PIECE_BYTES)
        except OSError:
            return b""
        if start > self._position:
            self.left_out += start - self._position
            self._position, self._rest, self._cut = start, b"", True
        return piece


def _emit(host: Host, event: Event, offset: int) -> None:
    if isinstance(event, Session) and not is_session(event.id):
        event = raw(event.id)
    host.emit(event, offset)
