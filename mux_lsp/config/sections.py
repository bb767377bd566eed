"""Declare the sections of `config.toml` and of a repository's `mux.toml`, with their defaults and bounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from mux_lsp.config.agents import KINDS, Agent, AnthropicAgent, Choice
from mux_lsp.config.fields import AgentName, NonEmpty, PermissionRule, Section
from mux_lsp.keys import KEYS


class DefaultsSection(Section):
    """`[defaults]`: the agents and checks of a task that names none."""

    agents: tuple[Choice, ...] = ()
    checks: tuple[NonEmpty, ...] = ()
    stop_after: Annotated[int, Field(ge=1)] | None = None
    """The number of equal results that pass every check after which the remaining runs of their task are stopped."""


class RunsSection(Section):
    """`[runs]`: the execution of runs."""

    concurrent: Annotated[int, Field(ge=1, le=1000)] = 32
    """Maximum number of agents that work at the same time. Further runs wait in the queue."""
    limits: dict[AgentName, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    """Maximum number of runs of one agent that work at the same time, by the agent's name or kind."""
    grace_seconds: Annotated[float, Field(ge=0, le=600)] = 5
    """Seconds between SIGTERM and SIGKILL for a cancelled agent."""
    check_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600
    """Seconds that one check may take before it counts as failed."""
    setup_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 1800
    """Seconds that one command of a set-up may take before it counts as failed."""
    checks_at_once: Annotated[int, Field(ge=1, le=1000)] = max(4, os.cpu_count() or 1)
    """Maximum number of worktrees in which checks run at the same time. Read when the daemon starts."""
    keep_worktrees: Annotated[int, Field(ge=0, le=100)] = 10
    """Maximum number of released worktrees of a repository that are kept for reuse."""
    retention_days: Annotated[float, Field(gt=0, le=36_500)] = 14
    """Days in which discarded tasks and runs can be restored."""
    output_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    """Maximum size on disk, in megabytes, of the output of an agent, a check or a set-up.

    Of a larger output, head and tail are kept.
    """
    largest_file_mb: Annotated[int, Field(ge=1, le=100_000_000)] = 100_000
    """Maximum size in megabytes of a file that an agent, a check or a set-up writes.

    This includes all it has ever printed: the limit bounds the output while no daemon runs, and on file systems that
    cannot free a part of a file.
    """

    @property
    def output_bytes(self) -> int:
        """Maximum size of an output file on disk, in bytes."""
        return self.output_mb * 1_000_000

    @property
    def largest_file(self) -> int:
        """Maximum size of a file that a run's processes write, in bytes."""
        return self.largest_file_mb * 1_000_000


Weight = Annotated[float, Field(ge=0, le=1000)]


class RankingSection(Section):
    """`[ranking]`: the weight of each criterion among runs with equal check results.

    Only the proportions matter; 0 disables a criterion. `mux_lsp.core.grading.Weights` describes each of them.
    """

    tests: Weight = 10
    broken: Weight = 5
    agreement: Weight = 3
    size: Weight = 2
    outside: Weight = 2
    cost: Weight = 1
    time: Weight = 1
    judge: Weight = 1


class JudgeSection(Section):
    """`[judge]`: a model that reads the best results of a task without knowing which agents made them.

    Its opinion is one more criterion for their ranks, and never outweighs the checks.
    """

    agent: AgentName | None = None
    """An agent of the kind `anthropic`, whose server and key are used. Without it, no judge runs."""
    model: NonEmpty | None = None
    """The model to use; by default the agent's own."""
    top: Annotated[int, Field(ge=2, le=6)] = 3
    """Maximum number of results that are read. Each pair of them is compared twice."""


class PermissionsSection(Section):
    """`[permissions]`: the actions that are allowed or denied without a question (see `mux_lsp.core.permissions`)."""

    allow: tuple[PermissionRule, ...] = ()
    deny: tuple[PermissionRule, ...] = ()
    timeout_seconds: Annotated[float, Field(gt=0, le=604_800)] = 900
    """Seconds that an agent waits for an answer before its request is refused."""


class RepositoriesSection(Section):
    """`[repositories]`: settings for repositories as a whole."""

    trusted: tuple[NonEmpty, ...] = ()
    """Root folders of the repositories whose own agent hooks and servers may run. `~` is the home folder."""


Usd = Annotated[float, Field(gt=0)]
Tokens = Annotated[int, Field(ge=1)]


class LimitsSection(Section):
    """`[limits]`: maximum spending of agents, as far as they report it, and maximum number of runs.

    At 80 % of a spending limit there is a warning. At 100 % the agents concerned are stopped, and no run is started.
    Spending in tasks that an agent starts also counts for the agent's own run and task. Days are those of the local
    calendar.
    """

    run_usd: Usd | None = None
    run_tokens: Tokens | None = None
    task_usd: Usd | None = None
    """The limit of each task. A task's own limit replaces it."""
    task_tokens: Tokens | None = None
    day_usd: Usd | None = None
    day_tokens: Tokens | None = None
    repository_usd: Usd | None = None
    """The limit of one repository for one day."""
    repository_tokens: Tokens | None = None
    run_seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds that a run's agent may work on a prompt, not counting the time in which it waits for a person."""
    runs: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Maximum number of runs of one task, including all that its agents start."""
    depth: Annotated[int, Field(ge=0, le=10)] = 1
    """Maximum nesting depth of tasks that agents start; with 0 agents cannot start any."""


class OfRepository(Section):
    """A repository's `mux.toml`: how to work in it. `[defaults]` and `[runs]` apply to settings that it omits."""

    agents: tuple[Choice, ...] | None = None
    checks: tuple[NonEmpty, ...] | None = None
    setup: tuple[NonEmpty, ...] | None = None
    """Commands that set up a worktree before an agent begins. They run at the repository's root."""
    setup_inputs: tuple[NonEmpty, ...] | None = None
    """Patterns of the files that the results of the set-up depend on."""
    protected: tuple[NonEmpty, ...] | None = None
    """Patterns of protected files, in addition to tests and the configuration of checks."""
    check_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] | None = None


class RepositorySection(OfRepository):
    """`[[repository]]`: the same settings in the person's `config.toml`. They take precedence over `mux.toml`."""

    path: NonEmpty
    """The repository's root folder. `~` is the home folder."""


class DaemonSection(Section):
    """`[daemon]`: the daemon's lifetime."""

    idle_seconds: Annotated[float, Field(gt=0)] = 600
    """Seconds without a client and an unfinished run after which the daemon ends."""


class Configuration(Section):
    """The whole of `config.toml`."""

    agents: dict[AgentName, Agent] = Field(default_factory=dict)
    defaults: DefaultsSection = DefaultsSection()
    runs: RunsSection = RunsSection()
    limits: LimitsSection = LimitsSection()
    ranking: RankingSection = RankingSection()
    judge: JudgeSection = JudgeSection()
    permissions: PermissionsSection = PermissionsSection()
    repositories: RepositoriesSection = RepositoriesSection()
    repository: tuple[RepositorySection, ...] = ()
    daemon: DaemonSection = DaemonSection()

    @field_validator("judge")
    @classmethod
    def _judge_is_an_agent(cls, value: JudgeSection, info: ValidationInfo) -> JudgeSection:
        agents = info.data.get("agents", {})
        if value.agent in {None, "anthropic"} - agents.keys() or isinstance(agents.get(value.agent), AnthropicAgent):
            return value
        raise ValueError(f"agent {value.agent!r} is no agent of the kind 'anthropic'")

    @field_validator("runs")
    @classmethod
    def _output_is_a_file(cls, value: RunsSection) -> RunsSection:
        if value.largest_file_mb < value.output_mb:
            raise ValueError(f"largest_file_mb must be at least output_mb, which is {value.output_mb}")
        return value

    @field_validator("runs")
    @classmethod
    def _limits_are_of_agents(cls, value: RunsSection, info: ValidationInfo) -> RunsSection:
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
        """Return whether the person trusts the hooks and servers that a repository itself configures for agents."""
        return any(Path(one).expanduser() == root for one in self.repositories.trusted)

    def of(self, root: Path) -> OfRepository:
        """Return the person's settings for a repository. If there are several tables for it, the last one applies."""
        said = [one for one in self.repository if Path(one.path).expanduser() == root]
        return said[-1] if said else OfRepository()
