"""Test files that the daemon writes in a run's folder, whose path the agent knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.agents.files import Appended, append, open_to_append, write_anew
from mux_lsp.agents.process import clear_records, read_exit

if TYPE_CHECKING:
    from collections.abc import Callable


def test_what_is_appended_begins_where_the_file_ended(tmp_path: Path) -> None:
    file = tmp_path / "stdout"
    kept = Appended(file)
    assert [kept.append(data) for data in (b"one\n", b"", b"two\n")] == [0, 4, 4]
    with open_to_append(file) as opened:
        opened.write(b"three\n")
    append(file, b"four\n")
    assert kept.append(b"five\n") == 19
    kept.close()
    assert kept.append(b"six\n") == 24
    assert file.read_bytes() == b"one\ntwo\nthree\nfour\nfive\nsix\n"
    assert file.stat().st_mode & 0o777 == 0o600


def link(file: Path) -> None:
    file.symlink_to(file.with_name("precious"))


def dangling_link(file: Path) -> None:
    file.symlink_to(file.with_name("nowhere"))


def folder(file: Path) -> None:
    (file / "deep").mkdir(parents=True)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("laid", [link, dangling_link, os.mkfifo, Path.touch, folder])
def test_what_an_agent_laid_in_its_place_is_taken_away(
    laid: Callable[[Path], None], begun: bool, tmp_path: Path
) -> None:
    file, precious = tmp_path / "stdout", tmp_path / "precious"
    precious.write_bytes(b"keep\n")
    kept = Appended(file)
    if begun:
        kept.append(b"gone\n")
        file.unlink()
    laid(file)
    assert kept.append(b"one\n") == 0
    assert (file.is_symlink(), file.read_bytes(), precious.read_bytes()) == (False, b"one\n", b"keep\n")
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_in_the_place_of_a_file_is_no_obstacle(tmp_path: Path) -> None:
    for name in ("prompt", "supervisor", "exit"):
        folder(tmp_path / name)
    write_anew(tmp_path / "prompt", b"one\n")
    assert (tmp_path / "prompt").read_bytes() == b"one\n"
    clear_records(tmp_path)
    assert not (tmp_path / "supervisor").exists()
    assert read_exit(tmp_path) is None


def test_nor_is_a_pipe_written_to_that_somebody_reads(tmp_path: Path) -> None:
    file = tmp_path / "stdout"
    os.mkfifo(file)
    reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        append(file, b"one\n")
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)
    assert file.read_bytes() == b"one\n"


def test_nothing_is_made_where_there_is_no_folder_for_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        append(tmp_path / "nowhere" / "stdout", b"one\n")
