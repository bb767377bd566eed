"""Declare the kinds of agents in `config.toml`, and parse how a task names its agents."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints

from mux_lsp.config.fields import AGENT_NAME, Address, NonEmpty, PermissionRule, Section
from mux_lsp.errors import UsageError

MAX_COUNT = 500
"""Maximum number of runs of one agent in a task."""


class CommandAgent(Section):
    """`[agents.NAME]` with `kind = "command"`: any command line that works in its current folder.

    A string `command` is run by `/bin/sh -c`, a list without a shell. `{prompt}`, `{prompt_file}` and `{model}` are
    replaced in both. `environment` is added to the command's environment.
    """

    kind: Literal["command"]
    command: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    environment: dict[str, str] = Field(default_factory=dict)


class AnthropicAgent(Section):
    """`[agents.NAME]` with `kind = "anthropic"`: mux-lsp's own agent, with any server that speaks the Messages API.

    The key comes from the keyring (`SERVICE/USER`), else from a command's output, else from an environment variable.
    """

    kind: Literal["anthropic"] = "anthropic"
    model: NonEmpty = "claude-sonnet-5-5"
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    max_turns: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Maximum number of the model's answers in one attempt."""
    max_cost_usd: Annotated[float, Field(gt=0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] = 32_000
    """Maximum number of tokens of one answer."""
    base_url: Address | None = None
    api_key_env: NonEmpty = "ANTHROPIC_API_KEY"
    api_key_command: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)] | None = None
    api_key_keyring: Annotated[str, StringConstraints(pattern="^[^/]+/.+$")] | None = None
    context_management: bool = True
    """True if the server is asked to keep the conversation inside the model's window."""


class AcpAgent(Section):
    """`[agents.NAME]` with `kind = "acp"`: a program that speaks the Agent Client Protocol over its standard streams.

    A string `command` is run by `/bin/sh -c`, a list without a shell. `environment` is added to the person's own.
    `mode` is one of the agent's session modes, by the agent's own name for it.
    """

    kind: Literal["acp"]
    command: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    environment: dict[str, str] = Field(default_factory=dict)
    mode: NonEmpty | None = None


class PresetAgent(Section):
    """`[agents.NAME]` with one of the presets as its `kind`: a command-line agent that mux-lsp can start and parse.

    `arguments` are appended to ours, `environment` is added to the person's own. `allow` replaces the rules of that
    name under `[permissions]` for this agent.
    """

    kind: Literal["aider", "claude", "codex", "copilot", "cursor-agent", "gemini", "opencode"]
    model: NonEmpty | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    allow: tuple[PermissionRule, ...] | None = None


KINDS: Final = frozenset(
    kind
    for agent in (CommandAgent, AnthropicAgent, AcpAgent, PresetAgent)
    for kind in get_args(agent.model_fields["kind"].annotation)
)
"""Every kind of agent. The names of presets are also names of agents."""


Agent = Annotated[CommandAgent | AnthropicAgent | AcpAgent | PresetAgent, Field(discriminator="kind")]


def _choice(text: str) -> str:
    try:
        parse_choice(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


Choice = Annotated[str, AfterValidator(_choice)]
"""An agent, the number of its runs, and its model: see `parse_choice`."""


def parse_choice(text: str) -> tuple[str, int, str | None]:
    """Parse `AGENT`, `AGENT*N`, `AGENT:MODEL` or `sh:COMMAND*N` as (agent, count, model).

    In `sh:COMMAND` only a final `*N` is parsed; the rest of the command belongs to the shell. Raises UsageError if the
    text has none of these forms or the count is out of range.
    """
    name, star, digits = text.rpartition("*")
    count = 1
    if star and re.fullmatch(r"\s*[0-9]+\s*", digits):
        count = int(digits)
    else:
        name = text
    name = name.strip()
    if not 1 <= count <= MAX_COUNT:
        raise UsageError(f"{text!r} asks for {count} runs; an agent can have 1 to {MAX_COUNT} runs in a task.")
    if name.startswith("sh:"):
        if not name[3:].strip():
            raise UsageError(f"{text!r} has no command after 'sh:'.")
        return name, count, None
    agent, _, model = name.partition(":")
    if not re.fullmatch(AGENT_NAME, agent):
        raise UsageError(f"{text!r} is not an agent: write NAME, NAME*3, NAME:MODEL or sh:COMMAND.")
    return agent, count, model or None
