"""Recognize coding agents that the person has started outside of mux-lsp.

An agent that works in the person's terminal is not the person. Most of them set a variable for the commands that they
run; the others are recognized by their program's name among the parents of a command.
"""
# It runs in the bridge's process, which does not import pathlib and typing.

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARIABLES = {
    "CLAUDECODE": "Claude Code",
    "CODEX_SANDBOX": "Codex",
    "CODEX_SANDBOX_NETWORK_DISABLED": "Codex",
    "CODEX_THREAD_ID": "Codex",
    "GEMINI_CLI": "Gemini CLI",
    "OPENCODE": "opencode",
    "CURSOR_AGENT": "Cursor's agent",
    "COPILOT_CLI": "Copilot CLI",
    "QWEN_CODE": "Qwen Code",
    "AMP_CURRENT_THREAD_ID": "Amp",
    "ANTIGRAVITY_AGENT": "Antigravity",
    "AUGMENT_AGENT": "Augment",
    "CLINE_ACTIVE": "Cline",
    "PI_CODING_AGENT": "pi",
}
"""Variables that agents set for the commands that they run, and that nobody sets to configure them.

For example, CODEX_HOME and CURSOR_TRACE_ID are also set in the person's own shells.
"""

NAMING = ("AI_AGENT", "AGENT")
"""Variables in which any agent may give its name (https://github.com/agentsmd/agents.md/issues/136).

The user may also use the second one for something else.
"""

_NAMES = ("augment", "claude", "cline", "codex", "crush", "cursor", "gemini", "goose", "opencode", "qwen")
"""Prefixes of the names that agents give."""

_SHORT_NAMES = ("amp", "pi")
"""Names with which other words begin too (`AGENT=pipeline`): they match alone, or before a version or the like."""

_NO = frozenset({"", "0", "false", "no", "none", "off"})
"""Values of a variable that mean that there is no agent."""

PROGRAMS = {
    "claude": "Claude Code",
    "codex": "Codex",
    "gemini": "Gemini CLI",
    "opencode": "opencode",
    "cursor-agent": "Cursor's agent",
    "copilot": "Copilot CLI",
    "aider": "aider",
}
"""Names of programs. Aider sets no variable for the commands that it runs."""

_INTERPRETERS = ("node", "bun", "deno", "python")
"""Prefixes of the names of interpreters: their arguments name the program."""


def by_environment(environment: Mapping[str, str]) -> str | None:
    """Return the agent that runs a command with this environment, or None."""
    for variable, name in VARIABLES.items():
        if environment.get(variable, "").lower() not in _NO:
            return name
    named = environment.get("AI_AGENT", "")
    if named.lower() not in _NO:
        return f"the agent {named[:40]!r}"
    said = environment.get("AGENT", "")
    short = said.startswith(_SHORT_NAMES) and not said.removeprefix("amp").removeprefix("pi")[:1].isalpha()
    return f"the agent {said[:40]!r}" if short or said.startswith(_NAMES) else None


def by_program(arguments: Iterable[str]) -> str | None:
    """Return the agent that this command line starts, or None if it starts another program."""
    first, *more = [*arguments, ""]
    names = [first.rpartition("/")[2]]
    if names[0].startswith(_INTERPRETERS):
        # `node …/bin/codex`, `python -m aider`
        named = next((argument for argument in more if argument and not argument.startswith("-")), "")
        names.append(named.rpartition("/")[2].removesuffix(".js").removesuffix(".mjs"))
        if named.endswith("/claude-code/cli.js"):  # the path in its npm package
            names.append("claude")
    return next((PROGRAMS[name] for name in names if name in PROGRAMS), None)


def without_marks(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without agents' variables, for a process that outlives the agent and serves the person."""
    return {name: value for name, value in environment.items() if name not in VARIABLES and name not in NAMING}
