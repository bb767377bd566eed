"""Test bounded output on a real file system: usage is measured in blocks of the disk."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

import pytest

from mux_lsp.agents import bounded, transcript
from mux_lsp.agents.bounded import kept_in_bounds, lines, read_around, trim
from mux_lsp.agents.command import explain
from mux_lsp.agents.events import Notice, Text
from mux_lsp.agents.files import open_to_read
from mux_lsp.agents.log import read_log
from mux_lsp.agents.process import start, wait
from mux_lsp.agents.transcript import Transcript
from tests.integration.agents.conftest import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.agents.conftest import RunFixture

MOST = 1_000_000
LINES = [f"{number:07}" for number in range(1_250_000)]
WHOLE = "".join(f"{line}\n" for line in LINES).encode()
"""Ten megabytes."""


def room(file: Path) -> int:
    """Return the bytes that a file takes on the disk."""
    return file.stat().st_blocks * 512


def printed(folder: Path, stream: str, limit: int = 65_536) -> list[str]:
    """Return all lines that a reader from the beginning gets."""
    text, offset = b"", 0
    while True:
        data, offset = read_log(folder, stream, offset, limit)
        if not data:
            return text.decode().splitlines()
        text += data


def check_printed(got: list[str]) -> None:
    """Assert that head and tail are there in order, and that one line reports the bytes left out."""
    (at,) = (number for number, line in enumerate(got) if line.startswith("mux-lsp: "))
    head, tail = got[:at], got[at + 1 :]
    assert len(head) * 8 >= MOST // 5
    assert len(tail) * 8 >= MOST // 3
    # The hole cuts the last line of the head and the first line of the tail.
    assert head[:-1] == LINES[: len(head) - 1]
    assert tail[1:] == LINES[1 - len(tail) :]
    missing = len(WHOLE) - len("\n".join(head)) - len("\n".join(tail)) - 1
    assert got[at] == f"mux-lsp: {missing:,} bytes of the output were left out here (output_mb under [runs])"


@pytest.mark.parametrize("pieces", [1, 7, 100])
def test_head_and_tail_are_kept(tmp_path: Path, pieces: int) -> None:
    file = tmp_path / "stdout"
    size = len(WHOLE) // pieces
    with file.open("ab", buffering=0) as child:
        for number in range(pieces + 1):
            child.write(WHOLE[number * size : (number + 1) * size])
            trim(file, MOST)
            assert room(file) <= MOST
    assert file.stat().st_size == len(WHOLE)
    for limit in (1000, 65_536, 10_000_000):
        check_printed(printed(tmp_path, "stdout", limit))


def test_no_reader_gets_a_byte_of_a_hole_wherever_it_begins(tmp_path: Path) -> None:
    file = tmp_path / "stdout"
    file.write_bytes(WHOLE)
    trim(file, MOST)
    with open_to_read(file) as opened:
        for offset in range(0, len(WHOLE) + 10_000, 9_973):
            data, begins = read_around(opened, offset, 3000)
            assert data == WHOLE[begins : begins + len(data)]
            assert begins >= offset
            assert bool(data) == (offset < len(WHOLE))


@pytest.mark.parametrize("size", [0, 10, 999_000])
def test_what_is_in_bounds_is_left_as_it_is(tmp_path: Path, size: int) -> None:
    file = tmp_path / "stdout"
    file.write_bytes(WHOLE[:size])
    trim(file, MOST)
    assert printed(tmp_path, "stdout") == WHOLE[:size].decode().splitlines()
    trim(tmp_path / "missing", MOST)


def test_nothing_but_a_plain_file_is_trimmed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(WHOLE)
    (tmp_path / "stdout").symlink_to(theirs)
    bounded.trim_outputs(tmp_path, 1000)
    assert room(theirs) >= len(WHOLE)


def test_a_transcript_that_was_trimmed_is_read_line_by_line(tmp_path: Path) -> None:
    writer = Transcript(tmp_path)
    texts = [f"{number} {'x' * 10_000}" for number in range(300)]
    for text in texts:
        writer.add(Text(text))
    file = tmp_path / transcript.TRANSCRIPT
    trim(file, MOST)
    assert room(file) <= MOST
    got = [entry.event.text for entry in transcript.read(tmp_path) if isinstance(entry.event, Text)]
    assert (got[0], got[-1]) == (texts[0], texts[-1])
    assert got == [text for text in texts if text in set(got)]
    assert len(got) < 100
    # For readers by byte offset there is an entry that says so.
    shown = [transcript._entry(line.encode()) for line in printed(tmp_path, transcript.TRANSCRIPT) if line]
    (notice,) = (entry.event for entry in shown if entry is not None and isinstance(entry.event, Notice))
    assert "bytes of the output were left out" in notice.text
    assert [one.event.text for one in shown if one is not None and isinstance(one.event, Text)] == got


def test_lines_that_a_hole_has_cut_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "stdout"
    file.write_bytes(WHOLE + b"the last")
    trim(file, MOST)
    with open_to_read(file) as opened:
        got = [line.decode() for line in lines(opened)]
    assert (got[0], got[-1]) == (LINES[0], "the last")
    assert set(got[:-1]) < set(LINES)


def test_a_file_system_that_cannot_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(bounded, "_free", unsupported)
    folder = tmp_path / "runs" / "k3f-1"
    folder.mkdir(parents=True)
    (folder / "stdout").write_bytes(WHOLE)
    with caplog.at_level(logging.WARNING):
        trim(folder / "stdout", MOST)
        trim(folder / "stdout", MOST)
    (record,) = caplog.records
    assert f"the file system of {tmp_path / 'runs'} cannot free a part of a file" in record.message
    assert (folder / "stdout").read_bytes() == WHOLE


async def test_a_child_is_kept_in_bounds_while_it_prints(run: RunFixture) -> None:
    async with kept_in_bounds(run.folder, MOST):
        process = start(
            ["sh", "-c", "seq 3000000; seq 3000000 >&2"],
            folder=run.worktree,
            environment=ENVIRONMENT,
            run_folder=run.folder,
            mark=run.mark,
        )
        run.processes.append(process)
        assert await wait(process, run.folder) == 0
    for stream in ("stdout", "stderr"):
        assert room(run.folder / stream) <= MOST
        got = printed(run.folder, stream)
        assert (got[0], got[-1]) == ("1", "3000000")


async def limited(run: RunFixture, script: str) -> int | None:
    process = start(
        ["sh", "-c", script],
        folder=run.worktree,
        environment=ENVIRONMENT,
        run_folder=run.folder,
        mark=run.mark,
        largest_file=MOST,
    )
    run.processes.append(process)
    return await wait(process, run.folder)


async def test_the_last_bound_is_of_the_system_and_said_in_words(run: RunFixture) -> None:
    status = await limited(run, "exec yes")
    assert (run.folder / "stdout").stat().st_size <= MOST
    assert "largest_file_mb under [runs] in config.toml" in str(explain(status))


async def test_a_command_that_needs_larger_files_may_have_them(run: RunFixture) -> None:
    assert await limited(run, "ulimit -S -f unlimited; head -c 3000000 /dev/zero > large") == 0
    assert (run.worktree / "large").stat().st_size == 3 * MOST
