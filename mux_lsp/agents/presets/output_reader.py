"""An agent's raw output, from which events are told: each once, also over the end of a daemon."""

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

PIECE: Final = 1 << 16
"""Bytes read at a time. Their lines are read and told on the event loop."""

LONGEST_LINE: Final = 1 << 24
"""Bytes of a line that is read as one. A longer one is cut."""


def raw_name(turn: int) -> str:
    """The file for what the agent prints in a turn, in the run's folder."""
    return f"raw-{turn}"


def for_another_turn(preset: Preset, attempt: Attempt) -> Reader:
    """A reader of what is printed from now on, that knows what was said before."""
    reader = _behind_earlier_turns(preset, attempt)
    for line, _ in reader.lines():  # of an attempt at this turn that a killed daemon had begun
        reader.parser.feed(line)
    reader.parser.finish()
    reader.parser.begin_turn()
    return reader


def taken_up(preset: Preset, attempt: Attempt) -> Reader:
    """A reader that goes on behind what the transcript has of this turn."""
    reader = _behind_earlier_turns(preset, attempt)
    last, told = _told(attempt.run_folder)
    # Should no line end there, then what was told is what is told at the end.
    reader.told_of_the_end = told
    for line, offset in reader.lines():
        events = reader.parser.feed(line)
        if offset <= last:
            # The bytes that are left out by now had been read.
            reader.left_out = 0
        if offset < last:
            continue
        if offset == last:
            # Of this line's events the first ones were told. Were there more, then they were those of the end.
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
    """Up to where this turn's output was told, and how many events of the last line were."""
    last, told = 0, 0
    for entry in transcript.read(run_folder):
        if isinstance(entry.event, Prompted):
            last, told = 0, 0
        elif entry.offset is not None:
            told = told + 1 if entry.offset == last else 1
            last = entry.offset
    return last, told


class Reader:
    """Reads one turn's output as it grows."""

    def __init__(self, parser: Parser, run_folder: Path, turn: int) -> None:
        self.parser = parser
        self.waiting: list[tuple[Event, int]] = []
        """Events to tell before any other, each with its offset."""
        self.told_of_the_end = 0
        """How many of the events at the end an earlier daemon told."""
        self._file = run_folder / raw_name(turn)
        self._position = 0
        self._rest = b""
        """What was read of a line that is not whole yet."""
        self._cut = False
        """Whether what comes next is the rest of a line whose beginning was left out."""
        self.left_out = 0
        """Bytes that were left out before they were read, and not told of yet."""

    def lines(self) -> Iterator[tuple[str, int]]:
        """The whole lines that there are by now and were not given before, each with the offset of its end."""
        while piece := self._read():
            yield from self._take(piece)

    async def tell(self, host: Host) -> None:
        """Tell what has been printed by now."""
        self._tell_left_out(host)
        for event, offset in self.waiting:
            _emit(host, event, offset)
        self.waiting = []
        while piece := await asyncio.to_thread(self._read):
            self._tell_left_out(host)
            # From here on nothing is awaited: a piece is taken and told whole, also where this is cancelled.
            for line, offset in self._take(piece):
                for event in self.parser.feed(line):
                    _emit(host, event, offset)

    def finish(self, host: Host) -> None:
        """Tell what is left when nothing more will be printed."""
        rest, self._rest = self._rest, b""
        events = [*(self.parser.feed(rest.decode("utf-8", "replace")) if rest else []), *self.parser.finish()]
        for event in events[self.told_of_the_end :]:
            _emit(host, event, self._position)

    def _tell_left_out(self, host: Host) -> None:
        if self.left_out:
            host.emit(Notice(f"{self.left_out:,} bytes of its output were left out before they were read."))
            self.left_out = 0

    def _take(self, piece: bytes) -> list[tuple[str, int]]:
        """The lines that a piece completes."""
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
        if len(rest) > LONGEST_LINE:
            lines.append((rest.decode("utf-8", "replace"), self._position))
            rest = b""
        self._rest = rest
        return lines

    def _read(self) -> bytes:
        try:
            with open_to_read(self._file) as file:
                piece, start = read_around(file, self._position, PIECE)
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
