"""Declare the sections of `config.toml` and of a repository's `mux.toml`, with their defaults and bounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from mux_lsp.config.agents import KINDS, Agent, AnthropicAgent, Choice
from mux_lsp.config.fields import AgentName, NonEmpty, PermissionRule, Section
from mux_lsp.keys import KEYS


class Defaults(Section):
    """`[defaults]`: what a task takes that names neither agents nor checks."""

    agents: tuple[Choice, ...] = ()
    checks: tuple[NonEmpty, ...] = ()
    stop_after: Annotated[int, Field(ge=1)] | None = None
    """So many equal results that passed every check end the runs of their task that are left."""


class Runs(Section):
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


class Ranking(Section):
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


class Judge(Section):
    """`[judge]`: a model that reads the best results of a task without knowing whose they are.

    What it thinks is one reason more for their ranks, and never outweighs the checks.
    """

    agent: AgentName | None = None
    """An agent of the kind `anthropic`, whose server and key are used. Without it there is no judge."""
    model: NonEmpty | None = None
    """The agent's own where it is left out."""
    top: Annotated[int, Field(ge=2, le=6)] = 3
    """How many results are read. Each two of them are compared twice."""


class Permissions(Section):
    """`[permissions]`: what agents that ask may do without asking (see `mux_lsp.core.permissions`)."""

    allow: tuple[PermissionRule, ...] = ()
    deny: tuple[PermissionRule, ...] = ()
    timeout_seconds: Annotated[float, Field(gt=0, le=604_800)] = 900
    """How long an agent waits for an answer before it is told no."""


class Repositories(Section):
    """`[repositories]`: what the person says of repositories."""

    trusted: tuple[NonEmpty, ...] = ()
    """Root folders whose own agent hooks and servers may run. `~` is the home folder."""


Usd = Annotated[float, Field(gt=0)]
Tokens = Annotated[int, Field(ge=1)]


class Limits(Section):
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


class OfRepository(Section):
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


class Daemon(Section):
    """`[daemon]`: the life of the daemon."""

    idle_seconds: Annotated[float, Field(gt=0)] = 600
    """With no client and no unfinished run for this long, the daemon ends."""


class Configuration(Section):
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
