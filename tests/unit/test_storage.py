from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp import storage
from mux_lsp.errors import StorageError
from mux_lsp.storage import Refusal

if TYPE_CHECKING:
    from pathlib import Path


def check(error: OSError, place: Path, *words: str) -> None:
    """Assert that the explanation of the error has these words."""
    refused = storage.explained(error, str(place))
    assert refused is not None
    for word in words:
        assert word in str(refused)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, ("is full", "MB free", "make room", "Nothing was lost")),
        (errno.EDQUOT, ("quota", "remove files of yours", "Nothing was lost")),
        (errno.EROFS, ("read-only", "mount it", "Nothing was lost")),
        (errno.EIO, ("input/output error", "dmesg")),
        (errno.EMFILE, ("as many files open", "ulimit -n", "Nothing was lost")),
        (errno.ENFILE, ("This machine", "Nothing was lost")),
        (errno.EACCES, ("permissions", "Nothing was lost")),
    ],
)
def test_every_error_has_its_sentence(tmp_path: Path, number: int, words: tuple[str, ...]) -> None:
    place = tmp_path / "a" / "b"
    check(OSError(number, os.strerror(number), str(place)), tmp_path, *words)
    if number not in {errno.EMFILE, errno.ENFILE}:
        check(OSError(number, os.strerror(number), str(place)), tmp_path, str(place))
        check(OSError(number, os.strerror(number)), tmp_path, str(tmp_path))
        # A bare name in a folder that is only known by its descriptor is useless to a person.
        check(OSError(number, os.strerror(number), "b"), tmp_path, str(tmp_path))


def test_another_error_is_none_of_the_disks(tmp_path: Path) -> None:
    assert storage.explained(FileNotFoundError(errno.ENOENT, "x", str(tmp_path))) is None
    with pytest.raises(FileNotFoundError), storage.explain_words(tmp_path):
        (tmp_path / "missing").read_bytes()


@pytest.mark.parametrize(
    ("free", "inodes", "refusal"),
    [
        (0, 1000, Refusal.FULL),
        (1 << 30, 0, Refusal.INODES),
        (1 << 30, 3, Refusal.INODES),
        (1 << 30, 100_000, Refusal.FULL),
        (0, 0, Refusal.FULL),
    ],
)
def test_a_disk_without_inodes_is_told_from_a_full_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, inodes: int, refusal: Refusal
) -> None:
    now = os.statvfs(tmp_path)

    def made_up(_: object) -> Any:
        values = [now.f_bsize, 4096, 1 << 20, free // 4096, free // 4096, 1 << 20, inodes, inodes, now.f_flag, 255]
        return os.statvfs_result(values)

    monkeypatch.setattr(os, "statvfs", made_up)
    assert storage.refusal_of(errno.ENOSPC, str(tmp_path)) is refusal


def test_a_file_system_that_counts_no_inodes_is_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result([4096, 4096, 99, 99999, 99999, 0, 0, 0, 0, 255]))
    assert storage.refusal_of(errno.ENOSPC, str(tmp_path)) is Refusal.FULL


def test_the_words_of_another_program(tmp_path: Path) -> None:
    said = "error: unable to write file x: No space left on device\nfatal: Unable to process path x"
    assert storage.in_words_of(said, str(tmp_path)) is Refusal.FULL
    assert storage.in_words_of("fatal: cannot lock ref: Read-only file system", str(tmp_path)) is Refusal.READ_ONLY
    assert storage.in_words_of("fatal: not a tree object", str(tmp_path)) is None


def test_told_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"disk of {tmp_path}.* is full"), storage.explain_words(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_that_takes_files_has_nothing_against_them(tmp_path: Path) -> None:
    assert storage.probe(str(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
