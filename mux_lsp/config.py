"""The person's settings: `config.toml`, read whole and validated whole.

Every complaint names the file, the key and what is allowed there. A missing file means the defaults.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from mux_lsp.errors import UsageError

AGENT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""What an agent may be called in configuration."""

MAX_COUNT = 100
"""How many runs of one agent a task may ask for."""

NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
AgentName = Annotated[str, StringConstraints(pattern=f"^{AGENT_NAME}$")]


PermissionRule = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^([a-z][a-z_-]*|\*)(:.*\S.*)?$")]
"""`TOOL` or `TOOL:SUBJECT`."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CommandAgent(_Section):
    """`[agents.NAME]` with `kind = "command"`: any command line that works in the folder it is started in.

    `command` as a string is run by `/bin/sh -c`; as a list it is run as it stands. `{prompt}`, `{prompt_file}` and
    `{model}` are replaced in both. `environment` is added to the command's environment.
    """

    kind: Literal["command"]
    command: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    environment: dict[str, str] = Field(default_factory=dict)


class AnthropicAgent(_Section):
    """`[agents.NAME]` with `kind = "anthropic"`: mux-lsp's own agent, over any server that speaks the Messages API.

    The key comes from the keyring (`SERVICE/USER`), else from what a command prints, else from an environment variable.
    """

    kind: Literal["anthropic"] = "anthropic"
    model: NonEmpty = "claude-sonnet-5-5"
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    max_turns: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Answers of the model in one attempt."""
    max_cost_usd: Annotated[float, Field(gt=0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] = 32_000
    """Of one answer."""
    base_url: NonEmpty | None = None
    api_key_env: NonEmpty = "ANTHROPIC_API_KEY"
    api_key_command: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)] | None = None
    api_key_keyring: Annotated[str, StringConstraints(pattern="^[^/]+/.+$")] | None = None
    context_management: bool = True
    """Whether the server is asked to keep the conversation inside the model's window."""


class AcpAgent(_Section):
    """`[agents.NAME]` with `kind = "acp"`: a program that speaks the Agent Client Protocol over its standard streams.

    `command` as a string is run by `/bin/sh -c`; as a list it is run as it stands. `environment` is added to the
    person's own. `mode` is one of the agent's session modes, by the agent's own name for it.
    """

    kind: Literal["acp"]
    command: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    environment: dict[str, str] = Field(default_factory=dict)
    mode: NonEmpty | None = None


class PresetAgent(_Section):
    """`[agents.NAME]` whose `kind` is one of the command-line agents that mux-lsp knows how to start and to read.

    `arguments` go behind ours, `environment` is added to the person's own. `allow` takes the place of the rules of that
    name under `[permissions]` for this agent.
    """

    kind: Literal["aider", "claude", "codex", "copilot", "cursor-agent", "gemini", "opencode"]
    model: NonEmpty | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    allow: tuple[PermissionRule, ...] | None = None


Agent = Annotated[CommandAgent | AnthropicAgent | AcpAgent | PresetAgent, Field(discriminator="kind")]


class Defaults(_Section):
    """`[defaults]`: what a task takes that names neither agents nor checks."""

    agents: tuple[str, ...] = ()
    checks: tuple[NonEmpty, ...] = ()

    @field_validator("agents")
    @classmethod
    def _agents_parse(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for agent in value:
            try:
                parse_choice(agent)
            except UsageError as error:
                raise ValueError(str(error)) from None
        return value


class Runs(_Section):
    """`[runs]`: how runs are carried out."""

    concurrent: Annotated[int, Field(ge=1, le=1000)] = 32
    """How many agents may work at once; further runs wait in the queue. Read when the daemon starts."""
    grace_seconds: Annotated[float, Field(ge=0, le=600)] = 5
    """How long a cancelled agent has between TERM and KILL."""
    check_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600
    """How long one check may take before it counts as failed."""
    keep_worktrees: Annotated[int, Field(ge=0, le=100)] = 10
    """How many released worktrees of a repository are kept for reuse."""


class Permissions(_Section):
    """`[permissions]`: what agents that ask may do without asking (see `mux_lsp.core.permissions`)."""

    allow: tuple[PermissionRule, ...] = ()
    deny: tuple[PermissionRule, ...] = ()
    timeout_seconds: Annotated[float, Field(gt=0, le=604_800)] = 900
    """How long an agent waits for an answer before it is told no."""


class Repositories(_Section):
    """`[repositories]`: what the person says of repositories."""

    trusted: tuple[NonEmpty, ...] = ()
    """Root folders whose own agent hooks and servers may run. `~` is the home folder."""


class Daemon(_Section):
    """`[daemon]`: the life of the daemon."""

    idle_seconds: Annotated[float, Field(gt=0)] = 600
    """With no client and no unfinished run for this long, the daemon ends."""


class Configuration(_Section):
    """The whole of `config.toml`."""

    agents: dict[AgentName, Agent] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    runs: Runs = Runs()
    permissions: Permissions = Permissions()
    repositories: Repositories = Repositories()
    daemon: Daemon = Daemon()

    def trusts(self, root: Path) -> bool:
        """Whether the person trusts what a repository itself would have agents run."""
        return any(Path(one).expanduser() == root for one in self.repositories.trusted)


def load(file: Path) -> Configuration:
    """Read and validate a configuration file. A file that is not there gives the defaults.

    Raises UsageError with every problem found, one to a line.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Configuration()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error
    try:
        return Configuration.model_validate(document)
    except ValidationError as error:
        raise UsageError(_complaints(file, error)) from None


def _complaints(file: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        message = problem["msg"]
        if place[0] == "agents" and len(place) > 2:
            # Which kind of agent it was read as is no key of the file's.
            del place[2]
        match problem["type"]:
            case "extra_forbidden":
                message = "is not a setting; check its spelling"
            case "union_tag_invalid":
                place.append("kind")
                message = f"Input should be one of {problem['ctx']['expected_tags']}"
            case "union_tag_not_found":
                place.append("kind")
                message = "Field required"
        key = ".".join(place)
        lines.append(f"{file}: {key}: {message}.")
    return "\n".join(dict.fromkeys(lines))


def parse_choice(text: str) -> tuple[str, int, str | None]:
    """Read `AGENT`, `AGENT*N`, `AGENT:MODEL` or `sh:COMMAND*N` as (agent, count, model).

    In `sh:COMMAND` only a final `*N` belongs to us; whatever else the command holds is the shell's.
    Raises UsageError where the text is none of these or the count is out of range.
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
