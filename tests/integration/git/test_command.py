"""Test failures of git itself."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.errors import GitError
from mux_lsp.git import command, objects
from mux_lsp.git.command import git
from mux_lsp.git.objects import CatFile
from mux_lsp.git.shadow import key_of
from tests.integration.git.support import World, make_repository

if TYPE_CHECKING:
    from pathlib import Path


def test_the_last_words_of_git(world: World) -> None:
    make_repository(world.root)
    with pytest.raises(GitError, match=r"git cat-file failed in .*: Not a valid object name nothing"):
        git(["cat-file", "-p", "nothing"], folder=world.root)
    assert (
        git(["hash-object", "--stdin"], folder=world.root, input=b"x\n")
        == b"587be6b4c3f93f93c489c0111bba5596147a26cb\n"
    )


@pytest.mark.parametrize(
    ("program", "words"), [(None, "git was not found on PATH"), ("echo git version 2.20.1", "git 2.20.1 is too old")]
)
def test_no_git_or_an_old_one(world: World, program: str | None, words: str) -> None:
    binaries = world.folder / "bin"
    binaries.mkdir()
    if program:
        (binaries / "git").write_text(f"#!/bin/sh\n{program}\n")
        (binaries / "git").chmod(0o755)
    script = (
        "from pathlib import Path\nfrom mux_lsp.errors import MuxError\nfrom mux_lsp.git.repository import discover\n"
        "try:\n    discover(Path('.'))\nexcept MuxError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PATH": str(binaries)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert words in done.stdout
    assert "install git 2.36 or newer" in done.stdout


def test_cat_file_reads_restarts_and_closes(world: World) -> None:
    make_repository(world.root, {"a": "one\n", "b": b"\0\n\n"})
    reader = CatFile(world.root / ".git")
    assert reader.read("HEAD:a") == ("blob", b"one\n")
    assert reader.read("HEAD:b") == ("blob", b"\0\n\n")
    assert reader.read("HEAD:nothing here") is None
    process = reader._process
    assert process is not None
    assert process.proc is not None
    process.proc.kill()
    process.proc.wait()
    assert reader.read("HEAD:a") == ("blob", b"one\n")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(reader.read, ["HEAD:a"] * 200)) == {("blob", b"one\n")}
    reader.close()
    assert reader.read("HEAD:a") == ("blob", b"one\n")
    reader.close()


def test_cat_file_does_not_stay_for_a_repository_that_nobody_looks_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def start(*arguments: Any, **named: Any) -> Any:
        started.append(command.start(*arguments, **named))
        return started[-1]

    monkeypatch.setattr(objects, "start", start)
    monkeypatch.setattr(objects, "IDLE_SECONDS", 0.1)
    make_repository(world.root, {"a": "one\n"})
    reader = CatFile(world.root / ".git")
    for times in (1, 2):
        assert reader.read("HEAD:a") == ("blob", b"one\n")
        assert len(started) == times
        assert started[-1].proc.wait(20) == 0
    reader.close()


def test_keys_are_readable_and_differ(tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "my project", tmp_path / "two" / "my project"
    assert key_of(one).startswith("my-project-")
    assert key_of(one) != key_of(two)
    one.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(one)
    assert key_of(link) == key_of(one)
