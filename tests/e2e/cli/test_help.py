"""Test `mux-lsp help` of an installed package, in a pipe and on a terminal with a pager."""

from __future__ import annotations

import subprocess
import tarfile
from typing import TYPE_CHECKING

from mux_lsp.cli.help import DOCUMENTS, TOPICS
from tests.support.package import build_sdist, unpack_wheel

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.e2e.cli.terminal import Terminal


def test_an_installed_package_has_every_topic(tmp_path: Path) -> None:
    program = unpack_wheel(tmp_path)
    home = tmp_path / "home"
    home.mkdir()

    def help_of(*topic: str) -> str:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "COLUMNS": "60", "PAGER": "false"}
        return subprocess.run(
            [program, "help", *topic], cwd=home, env=environment, capture_output=True, text=True, check=True
        ).stdout

    listed = help_of()
    for topic in TOPICS:
        assert f"\n  {topic} " in listed
    pages = {topic: help_of(topic) for topic in TOPICS}
    assert all(page.startswith("# ") and len(page) > 1000 for page in pages.values())
    assert not any("\x1b" in page for page in pages.values())
    assert max(map(len, pages["review"].splitlines())) <= 60
    assert not [*home.iterdir()]  # it starts no daemon and writes nothing


def test_the_source_distribution_has_the_documents(tmp_path: Path) -> None:
    with tarfile.open(build_sdist(tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"mux_lsp/docs/{file.name}" for file in DOCUMENTS.iterdir()} | {"README.md"} <= names


def test_a_terminal_shows_it_in_the_pager(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {tmp_path}/paged && echo it was paged\n")
    pager.chmod(0o755)
    monkeypatch.setenv("PAGER", str(pager))
    with terminal.on_screen("help", "review") as screen:
        assert screen.end() == 0
    assert screen.shown == b"it was paged\r\n"
    # A pager that is not known to show colours gets none.
    assert (tmp_path / "paged").read_text().startswith("Review\n\nInspect what agents changed")


def test_less_gets_colours_and_a_pager_that_ends_early_is_no_error(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = tmp_path / "less"
    less.write_text("#!/bin/sh\nhead -c 400; echo; echo options: $LESS\n")
    less.chmod(0o755)
    monkeypatch.setenv("PAGER", str(less))
    monkeypatch.delenv("LESS", raising=False)
    with terminal.on_screen("help", "configuration") as screen:
        assert screen.end() == 0
    assert b"\x1b[1;4mConfiguration" in screen.shown
    assert b"options: -R" in screen.shown
