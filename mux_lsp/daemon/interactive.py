"""Recognise coding agents that the person has started themselves, outside of mux-lsp.

An agent at work in a terminal of the person's is not the person. Most say so to the commands that they run, by a
variable; the others are recognised by their program's name among the parents of a command.
"""
# It shares the bridge's process, which does without pathlib and typing.

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
"""Variables that agents set for the commands that they run, and that nobody sets to configure them: CODEX_HOME and
CURSOR_TRACE_ID, say, are also in the person's own shells."""

NAMING = ("AI_AGENT", "AGENT")
"""Variables by which any agent may give its name (https://github.com/agentsmd/agents.md/issues/136). The second may
also be the person's, for something else."""

_NAMES = ("augment", "claude", "cline", "codex", "crush", "cursor", "gemini", "goose", "opencode", "qwen")
"""Beginnings of the names that agents give."""

_SHORT_NAMES = ("amp", "pi")
"""Names that other words begin with too (`AGENT=pipeline`): they count alone, or before a version or the like."""

_NO = frozenset({"", "0", "false", "no", "none", "off"})
"""Values by which a variable says that there is no agent."""

PROGRAMS = {
    "claude": "Claude Code",
    "codex": "Codex",
    "gemini": "Gemini CLI",
    "opencode": "opencode",
    "cursor-agent": "Cursor's agent",
    "copilot": "Copilot CLI",
    "aider": "aider",
}
"""Names of programs. Aider tells the commands that it runs nothing."""

_INTERPRETERS = ("node", "bun", "deno", "python")
"""Beginnings of the names of programs that run another one, which their arguments name."""


def by_environment(environment: Mapping[str, str]) -> str | None:
    """The agent that runs a command with this environment; None where none says so."""
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
    """The agent that this command line starts; None where it is another program's."""
    first, *more = [*arguments, ""]
    names = [first.rpartition("/")[2]]
    if names[0].startswith(_INTERPRETERS):
        # `node …/bin/codex`, `python -m aider`
        named = next((argument for argument in more if argument and not argument.startswith("-")), "")
        names.append(named.rpartition("/")[2].removesuffix(".js").removesuffix(".mjs"))
        if named.endswith("/claude-code/cli.js"):  # as its package has it
            names.append("claude")
    return next((PROGRAMS[name] for name in names if name in PROGRAMS), None)


def without_marks(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for what outlives the agent in whose shell it is started, and serves the person."""
    return {name: value for name, value in environment.items() if name not in VARIABLES and name not in NAMING}
