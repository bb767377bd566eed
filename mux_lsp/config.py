"""The person's settings: `config.toml`, read whole and validated whole.

Every complaint names the file, the key and what is allowed there. A missing file means the defaults.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

AGENT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""What an agent may be called in configuration."""

MAX_COUNT = 100
"""How many runs of one agent a task may ask for."""

NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
AgentName = Annotated[str, StringConstraints(pattern=f"^{AGENT_NAME}$")]


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


class Daemon(_Section):
    """`[daemon]`: the life of the daemon."""

    idle_seconds: Annotated[float, Field(gt=0)] = 600
    """With no client and no unfinished run for this long, the daemon ends."""


class Configuration(_Section):
    """The whole of `config.toml`."""

    agents: dict[Annotated[str, StringConstraints(pattern=f"^{AGENT_NAME}$")], CommandAgent] = Field(
        default_factory=dict
    )
    defaults: Defaults = Defaults()
    runs: Runs = Runs()
    daemon: Daemon = Daemon()


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
        key = ".".join(str(part) for part in problem["loc"])
        message = "is not a setting; check its spelling" if problem["type"] == "extra_forbidden" else problem["msg"]
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
