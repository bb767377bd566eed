"""Test the events of an agent's raw output: each is emitted once, wherever the output is split and a daemon killed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mux_lsp.agents import transcript
from mux_lsp.agents.backend import Attempt, Decision
from mux_lsp.agents.bounded import trim
from mux_lsp.agents.events import Notice, Raw, Session, Text, Usage
from mux_lsp.agents.presets import output_reader as reading
from mux_lsp.agents.presets.output_reader import for_another_turn, raw_name, taken_up
from mux_lsp.agents.presets.registry import PRESETS
from mux_lsp.agents.transcript import Prompted, Transcript

if TYPE_CHECKING:
    from mux_lsp.agents.events import Event
    from mux_lsp.core.permissions import PermissionRequest

SAMPLES = Path(__file__).parent / "samples"


class KilledError(Exception):
    """The daemon was killed."""


@dataclass
class Keeper:
    """A host that keeps the events, and is killed after a number of them."""

    folder: Path
    lives: int | None = None
    told: list[Event] = field(default_factory=list)

    def emit(self, event: Event, offset: int | None = None) -> None:
        if self.lives is not None and len(self.told) >= self.lives:
            raise KilledError
        Transcript(self.folder).add(event, offset)
        self.told.append(event)

    async def ask(self, request: PermissionRequest) -> Decision:
        raise NotImplementedError


def attempt_in(folder: Path, turn: int = 0) -> Attempt:
    return Attempt("k3f-1", "k3f", "x", folder, folder, folder, folder, turn=turn)


async def whole(preset: str, data: bytes, folder: Path) -> list[Event]:
    """Return the events of output that is read without interruption."""
    folder.mkdir()  # noqa: ASYNC240  # as quick as what the tests do beside it
    (folder / raw_name(0)).write_bytes(data)
    reader, keeper = taken_up(PRESETS[preset], attempt_in(folder)), Keeper(folder)
    await reader.tell(keeper)
    reader.finish(keeper)
    return keeper.told


@pytest.mark.parametrize("preset", ["claude", "codex", "gemini", "opencode", "copilot"])
@pytest.mark.parametrize("end", ["", "cut off"])
async def test_each_event_is_told_once_over_any_number_of_daemons(preset: str, end: str, tmp_path: Path) -> None:
    data = (SAMPLES / f"{preset}.jsonl").read_bytes() + end.encode()
    expected = await whole(preset, data, tmp_path / "whole")
    assert len(expected) > 8
    for lives in (1, 2, 3, 5):
        folder = tmp_path / str(lives)
        folder.mkdir()
        Transcript(folder).add(Prompted("x", 0))
        (folder / raw_name(0)).write_bytes(data)
        for _ in range(len(expected) // lives + 1):
            reader, keeper = taken_up(PRESETS[preset], attempt_in(folder)), Keeper(folder, lives)
            try:
                await reader.tell(keeper)
                reader.finish(keeper)
            except KilledError:
                continue
        kept = [entry.event for entry in transcript.read(folder)]
        assert kept[1:] == expected


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=6), piece=st.integers(100, 5_000))
async def test_output_that_grows_in_pieces(
    cuts: list[int], piece: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = (SAMPLES / "gemini.jsonl").read_bytes()
    folder = tmp_path_factory.mktemp("grows")
    expected = await whole("gemini", data, folder / "whole")
    with patch.object(reading, "PIECE_BYTES", piece):
        reader, keeper = taken_up(PRESETS["gemini"], attempt_in(folder)), Keeper(folder)
        for cut in (*sorted(cuts), len(data)):
            (folder / raw_name(0)).write_bytes(data[:cut])
            await reader.tell(keeper)
        reader.finish(keeper)
    assert keeper.told == expected


async def test_a_further_message_counts_on_from_what_was_said_before(tmp_path: Path) -> None:
    def turn(total: int) -> str:
        usage = f'{{"input_tokens":{total},"cached_input_tokens":0,"output_tokens":0}}'
        return f'{{"type":"thread.started","thread_id":"a"}}\n{{"type":"turn.completed","usage":{usage}}}\n'

    (tmp_path / raw_name(0)).write_text(turn(100))
    reader, keeper = for_another_turn(PRESETS["codex"], attempt_in(tmp_path, 1)), Keeper(tmp_path)
    (tmp_path / raw_name(1)).write_text(turn(130))
    await reader.tell(keeper)
    assert [event for event in keeper.told if isinstance(event, Usage)] == [Usage(30)]


async def test_a_session_whose_name_is_none(tmp_path: Path) -> None:
    (tmp_path / raw_name(0)).write_text('{"type":"thread.started","thread_id":"--config=x"}\n')
    reader, keeper = taken_up(PRESETS["codex"], attempt_in(tmp_path)), Keeper(tmp_path)
    await reader.tell(keeper)
    assert keeper.told == [Raw("--config=x")]
    assert not [event for event in keeper.told if isinstance(event, Session)]


async def test_a_line_without_an_end(tmp_path: Path) -> None:
    (tmp_path / raw_name(0)).write_bytes(b"x" * 100_000)
    with patch.object(reading, "MAX_LINE_BYTES", 1_000):
        reader, keeper = taken_up(PRESETS["claude"], attempt_in(tmp_path)), Keeper(tmp_path)
        await reader.tell(keeper)
        assert all(isinstance(event, Raw) for event in keeper.told)
        assert keeper.told


@pytest.mark.parametrize("read_before", [False, True])
async def test_what_was_left_out_unread_is_told_and_no_half_line_is_read(tmp_path: Path, read_before: bool) -> None:
    """A daemon that restarts finds the middle of the output freed."""
    said = [f"{number} " * 2000 for number in range(400)]
    whole = [json.dumps({"type": "assistant", "message": {"content": [{"type": "text", "text": t}]}}) for t in said]
    file = tmp_path / raw_name(0)
    file.write_text("".join(f"{line}\n" for line in whole))
    keeper = Keeper(tmp_path)
    if read_before:
        await taken_up(PRESETS["claude"], attempt_in(tmp_path)).tell(keeper)
        assert len(keeper.told) == len(said)
    trim(file, 1_000_000)
    reader = taken_up(PRESETS["claude"], attempt_in(tmp_path))
    await reader.tell(keeper)
    reader.finish(keeper)
    notices = [event.text for event in keeper.told if isinstance(event, Notice)]
    texts = [event.text for event in keeper.told if isinstance(event, Text)]
    assert len(notices) == (0 if read_before else 1)
    assert len(texts) + len(notices) == len(keeper.told), "no half of a line was told"
    assert (texts[0].split()[0], texts[-1].split()[0]) == ("0", "399")
    assert (len(texts) == len(said)) is read_before
