from __future__ import annotations

from pathlib import Path

import pytest

from mux_lsp.git.command import alternates_variable, command_line, failure_message
from mux_lsp.git.include import exclude_lines


def test_inherited_variables_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/theirs")
    monkeypatch.setenv("GIT_INDEX_FILE", "/theirs/index")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/kept")
    line = command_line(["status"], {"GIT_DIR": "/ours"})
    assert line[0] == "env"
    dropped = {name for flag, name in zip(line[1::2], line[2::2], strict=False) if flag == "-u"}
    assert "GIT_INDEX_FILE" in dropped
    assert not {"GIT_DIR", "GIT_CONFIG_GLOBAL"} & dropped
    assert line[-1] == "status"


def test_paths_are_literal_wherever_git_can() -> None:
    assert "--literal-pathspecs" in command_line(["ls-files"], {})
    assert "--literal-pathspecs" not in command_line(["check-ignore"], {})


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ("fatal: it broke\n", "git log failed in /x: it broke"),
        ("hint: a\nerror: b\nfatal: c\n\n", "git log failed in /x: hint: a; b; c"),
        ("", "git log failed in /x: it ended with status 128 and said nothing"),
    ],
)
def test_failure_message(errors: str, words: str) -> None:
    assert failure_message(["-c", "a.b=c", "log", "--all"], Path("/x"), 128, errors) == words


def test_alternates() -> None:
    assert alternates_variable(()) == {}
    assert alternates_variable((Path("/a:b"), Path('/c"\\d'))) == {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": '"/a:b":"/c\\"\\\\d"'
    }


def test_exclude_lines() -> None:
    assert exclude_lines([".env", "out/", "a*[b] \\c", "new\nline"]) == b"/.env\n/out/\n/a\\*\\[b]\\ \\\\c\n"
