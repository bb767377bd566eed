"""Test which variables are removed from an agent's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from mux_lsp.agents.environment import scrubbed

FOLDER = Path("/w/repository/sub")


@pytest.mark.parametrize(
    "name",
    [
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_WORK_TREE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
        "GIT_ASKPASS",
        "GIT_EDITOR",
        "MUX_RUN",
        "MUX_WORKTREE",
        "NVIM",
        "VSCODE_IPC_HOOK_CLI",
        "OLDPWD",
    ],
)
def test_dropped(name: str) -> None:
    assert name not in scrubbed({name: "x"}, FOLDER)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "GIT_AUTHOR_NAME",
        "GIT_SSH_COMMAND",
        "VIRTUAL_ENV",
        "MUXER",
        "MUX_LSP_HOME",  # an agent's own `mux-lsp` needs it to find the daemon that counts what it starts
    ],
)
def test_kept(name: str) -> None:
    assert scrubbed({name: "x"}, FOLDER)[name] == "x"


def test_pwd_is_where_the_agent_starts() -> None:
    assert scrubbed({"PWD": "/somewhere/else"}, FOLDER)["PWD"] == str(FOLDER)
