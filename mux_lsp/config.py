"""The person's settings: `config.toml`, read whole and validated whole.

Every complaint names the file, the key and what is allowed there. A missing file means the defaults.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from mux_lsp.errors import UsageError, unreadable
from mux_lsp.keys import KEYS

AGENT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""What an agent may be called in configuration."""

MAX_COUNT = 500
"""How many runs of one agent a task may ask for."""


def _is_an_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        found = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        found = False
    if not found:
        raise ValueError("it is no address such as https://models.example.com")
    return value


NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Address = Annotated[NonEmpty, AfterValidator(_is_an_address)]
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
    base_url: Address | None = None
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


KINDS: Final = frozenset(
    kind
    for agent in (CommandAgent, AnthropicAgent, AcpAgent, PresetAgent)
    for kind in get_args(agent.model_fields["kind"].annotation)
)
"""Every kind of agents. The presets' are names of agents too."""

Agent = Annotated[CommandAgent | AnthropicAgent | AcpAgent | PresetAgent, Field(discriminator="kind")]


def _choice(text: str) -> str:
    try:
        parse_choice(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


Choice = Annotated[str, AfterValidator(_choice)]
"""An agent, how many runs of it, and its model: see `parse_choice`."""


class Defaults(_Section):
    """`[defaults]`: what a task takes that names neither agents nor checks."""

    agents: tuple[Choice, ...] = ()
    checks: tuple[NonEmpty, ...] = ()
    stop_after: Annotated[int, Field(ge=1)] | None = None
    """So many equal results that passed every check end the runs of their task that are left."""


class Runs(_Section):
    """`[runs]`: how runs are carried out."""

    concurrent: Annotated[int, Field(ge=1, le=1000)] = 32
    """How many agents may work at once; further runs wait in the queue."""
    limits: dict[AgentName, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    """How many of an agent may work at once, by its name or its kind."""
    grace_seconds: Annotated[float, Field(ge=0, le=600)] = 5
    """How long a cancelled agent has between TERM and KILL."""
    check_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600
    """How long one check may take before it counts as failed."""
    setup_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 1800
    """How long one command of a set-up may take before it counts as failed."""
    checks_at_once: Annotated[int, Field(ge=1, le=1000)] = max(4, os.cpu_count() or 1)
    """In how many worktrees checks may run at once. Read when the daemon starts."""
    keep_worktrees: Annotated[int, Field(ge=0, le=100)] = 10
    """How many released worktrees of a repository are kept for reuse."""
    retention_days: Annotated[float, Field(gt=0, le=36_500)] = 14
    """How long what was thrown away can be brought back."""
    output_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    """Megabytes of the disk that a file takes in which an agent, a check or a set-up prints: the rest of its middle is
    left out."""
    largest_file_mb: Annotated[int, Field(ge=1, le=100_000_000)] = 100_000
    """Megabytes of the largest file that an agent, a check or a set-up can write. All that it has ever printed is such
    a file: this bounds it while no daemon looks, and where the file system cannot leave out a part of a file."""

    @property
    def output_bytes(self) -> int:
        """The most that a file of output takes of the disk."""
        return self.output_mb * 1_000_000

    @property
    def largest_file(self) -> int:
        """The same bound of files, in bytes."""
        return self.largest_file_mb * 1_000_000


Weight = Annotated[float, Field(ge=0, le=1000)]


class Ranking(_Section):
    """`[ranking]`: how much each criterion counts among runs of which the checks say the same.

    Only their proportions matter; 0 leaves a criterion out. See `mux_lsp.core.grading.Weights` for what each one is.
    """

    tests: Weight = 10
    broken: Weight = 5
    agreement: Weight = 3
    size: Weight = 2
    outside: Weight = 2
    cost: Weight = 1
    time: Weight = 1
    judge: Weight = 1


class Judge(_Section):
    """`[judge]`: a model that reads the best results of a task without knowing whose they are.

    What it thinks is one reason more for their ranks, and never outweighs the checks.
    """

    agent: AgentName | None = None
    """An agent of the kind `anthropic`, whose server and key are used. Without it there is no judge."""
    model: NonEmpty | None = None
    """The agent's own where it is left out."""
    top: Annotated[int, Field(ge=2, le=6)] = 3
    """How many results are read. Each two of them are compared twice."""


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


Usd = Annotated[float, Field(gt=0)]
Tokens = Annotated[int, Field(ge=1)]


class Limits(_Section):
    """`[limits]`: what agents may spend, as far as they tell it, and how many runs there may be.

    At four fifths of what may be spent there is a warning, at the whole those at work are stopped and nothing new
    begins. What is spent in tasks that an agent starts counts for its own run and task too. A day is one of the
    person's calendar.
    """

    run_usd: Usd | None = None
    run_tokens: Tokens | None = None
    task_usd: Usd | None = None
    """A task's own limit takes its place."""
    task_tokens: Tokens | None = None
    day_usd: Usd | None = None
    day_tokens: Tokens | None = None
    repository_usd: Usd | None = None
    """In one day, in one repository."""
    repository_tokens: Tokens | None = None
    run_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long a run's agent may work on a prompt; the time in which it waits for a person is not counted."""
    runs: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Of one task, with all that its agents start."""
    depth: Annotated[int, Field(ge=0, le=10)] = 1
    """How deep tasks may nest that agents start; 0 lets agents start none."""


class OfRepository(_Section):
    """A repository's `mux.toml`: how to work in it. What is not there is as `[defaults]` and `[runs]` say."""

    agents: tuple[Choice, ...] | None = None
    checks: tuple[NonEmpty, ...] | None = None
    setup: tuple[NonEmpty, ...] | None = None
    """Commands that make a worktree ready before an agent begins. They run at the repository's root."""
    setup_inputs: tuple[NonEmpty, ...] | None = None
    """Patterns of the files on which it depends what the set-up makes."""
    protected: tuple[NonEmpty, ...] | None = None
    """Patterns of files that judge results, beside tests and the configuration of checks."""
    check_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] | None = None


class Repository(OfRepository):
    """`[[repository]]`: the same, as the person says it of a repository. What is there wins over `mux.toml`."""

    path: NonEmpty
    """Its root folder. `~` is the home folder."""


class Daemon(_Section):
    """`[daemon]`: the life of the daemon."""

    idle_seconds: Annotated[float, Field(gt=0)] = 600
    """With no client and no unfinished run for this long, the daemon ends."""


class Configuration(_Section):
    """The whole of `config.toml`."""

    agents: dict[AgentName, Agent] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    runs: Runs = Runs()
    limits: Limits = Limits()
    ranking: Ranking = Ranking()
    judge: Judge = Judge()
    permissions: Permissions = Permissions()
    repositories: Repositories = Repositories()
    repository: tuple[Repository, ...] = ()
    daemon: Daemon = Daemon()

    @field_validator("judge")
    @classmethod
    def _judge_is_an_agent(cls, value: Judge, info: ValidationInfo) -> Judge:
        agents = info.data.get("agents", {})
        if value.agent in {None, "anthropic"} - agents.keys() or isinstance(agents.get(value.agent), AnthropicAgent):
            return value
        raise ValueError(f"agent {value.agent!r} is no agent of the kind 'anthropic'")

    @field_validator("runs")
    @classmethod
    def _output_is_a_file(cls, value: Runs) -> Runs:
        if value.largest_file_mb < value.output_mb:
            raise ValueError(f"largest_file_mb must be at least output_mb, which is {value.output_mb}")
        return value

    @field_validator("runs")
    @classmethod
    def _limits_are_of_agents(cls, value: Runs, info: ValidationInfo) -> Runs:
        known = KINDS | info.data.get("agents", {}).keys()
        for name in value.limits:
            if name not in known:
                raise ValueError(f"limits.{name} is neither an agent nor a kind of agents")
        return value

    @property
    def key_variables(self) -> frozenset[str]:
        """The variables in which the person has keys to models: the usual ones, and those that agents name."""
        return KEYS.union(one.api_key_env for one in self.agents.values() if isinstance(one, AnthropicAgent))

    def trusts(self, root: Path) -> bool:
        """Whether the person trusts what a repository itself would have agents run."""
        return any(Path(one).expanduser() == root for one in self.repositories.trusted)

    def of(self, root: Path) -> OfRepository:
        """What the person says of a repository; where they say it twice, the last counts."""
        said = [one for one in self.repository if Path(one.path).expanduser() == root]
        return said[-1] if said else OfRepository()


_Read = TypeVar("_Read", bound=_Section)


def load(file: Path) -> Configuration:
    """Read and validate a configuration file. A file that is not there gives the defaults.

    Raises UsageError with every problem found, one to a line.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Configuration()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from error
    return _parsed(Configuration, text, str(file))


def of_repository(text: str, name: str) -> OfRepository:
    """Read and validate what a `mux.toml` says. `name` is what complaints call it. Raises UsageError as `load` does."""
    return _parsed(OfRepository, text, name)


def _parsed(kind: type[_Read], text: str, name: str) -> _Read:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not valid TOML: {error}.") from error
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise UsageError(_complaints(name, error)) from None


def _complaints(file: str, error: ValidationError) -> str:
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
