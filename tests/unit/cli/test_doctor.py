"""Test the report of `doctor` when something cannot be examined."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from mux_lsp import paths, storage
from mux_lsp.cli import doctor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_refuses_is_named_as_in_every_other_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number), "/somewhere/tmp1234")

    monkeypatch.setenv(paths.ROOT, str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: refuse())
    state = doctor._guarded("state folder", doctor._state)
    refusal = storage.refusal_of(number, paths.home().state)
    assert refusal is not None
    assert (state.state, state.detail, state.remedy) == ("bad", storage.sentence(refusal, paths.home().state), None)
