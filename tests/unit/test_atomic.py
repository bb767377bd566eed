"""A file is replaced whole or stays as it is, and nothing is left beside it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp import atomic, faults

if TYPE_CHECKING:
    from collections.abc import Callable


class Killed(BaseException):
    """Raised at a point."""


@pytest.mark.parametrize("write", [atomic.write, atomic.write_private])
def test_a_file_is_created_and_replaced(write: Callable[[Path, bytes], None], tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    for data in (b"first", b"second"):
        write(file, data)
        assert file.read_bytes() == data
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("point", ["file.begins", "file.written"])
@pytest.mark.parametrize("write", [atomic.write, atomic.write_private])
def test_what_fails_in_between_leaves_the_file_as_it_was(
    write: Callable[[Path, bytes], None], point: str, tmp_path: Path
) -> None:
    def plan(name: str, _: int) -> None:
        if name == point:
            raise Killed

    file = tmp_path / "record.json"
    write(file, b"first")
    faults.install(plan)
    try:
        with pytest.raises(Killed):
            write(file, b"second")
    finally:
        faults.install(None)
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "record.json"
    place.mkdir()
    with pytest.raises(OSError, match="record"):
        atomic.write(place, b"second")
    assert [one.name for one in tmp_path.iterdir()] == ["record.json"]


def test_a_private_file_is_the_owners_alone_whatever_was_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    left = tmp_path / "key.new"
    left.touch(0o644)
    atomic.write_private(file, b"secret")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not left.exists()


def test_a_file_is_written_beside_where_its_caller_says(tmp_path: Path) -> None:
    file, beside = tmp_path / "a", tmp_path / ".new-a"
    with atomic.replacing(file, beside) as new:
        Path(new).write_bytes(b"x")
    assert (new, file.read_bytes(), beside.exists()) == (str(beside), b"x", False)
