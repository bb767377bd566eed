"""What an agent finds in its environment: the person's own, without what would lead it out of its worktree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_GIT_KEPT: Final = frozenset(
    {
        "GIT_AUTHOR_EMAIL",
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_EXEC_PATH",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "GIT_SSL_NO_VERIFY",
    }
)
"""Who the person is and how git reaches the network. Any other `GIT_*` is dropped: an editor started from a git hook
passes GIT_DIR and GIT_INDEX_FILE on, and with them each git command of an agent would change the person's own
repository. An editor's GIT_ASKPASS and GIT_EDITOR would open windows in front of a person who asked for neither."""

_DROPPED: Final = frozenset(
    {
        "ELECTRON_RUN_AS_NODE",  # VS Code sets it for what it starts; every other Electron program breaks under it
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PID",
        "NOTIFY_SOCKET",
        "NVIM",  # a socket by which a child drives the person's editor
        "NVIM_LISTEN_ADDRESS",
        "OLDPWD",
        "_",
        "__PYVENV_LAUNCHER__",
    }
)

_DROPPED_PREFIXES: Final = (
    "MUX_",  # our own, also those of a run inside which this daemon was started
    "VSCODE_",  # sockets by which a child drives the person's editor
)


KEYS: Final = frozenset(
    {
        "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AZURE_OPENAI_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN", "CODEX_API_KEY", "COPILOT_GITHUB_TOKEN", "CURSOR_API_KEY", "DEEPSEEK_API_KEY",
        "GEMINI_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY", "MISTRAL_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY",
        "XAI_API_KEY",
    }
)  # fmt: skip
"""Keys to models. Agents that are programs of their own need theirs; what a model has run needs none."""


def scrubbed(person: Mapping[str, str], folder: Path, without: Collection[str] = ()) -> dict[str, str]:
    """The person's environment for a program that is to work in `folder`, with PWD saying so."""
    kept = {name: value for name, value in person.items() if _is_kept(name) and name not in without}
    kept["PWD"] = str(folder)
    return kept


def _is_kept(name: str) -> bool:
    if name.startswith("GIT_"):
        return name in _GIT_KEPT
    return name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
