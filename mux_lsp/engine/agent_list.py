"""List the available agents, with what a person needs to know to choose one."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.agents.builtin.keys import without_login
from mux_lsp.agents.presets.detection import looks_logged_in, version_of
from mux_lsp.agents.presets.registry import PRESETS, program_of
from mux_lsp.config import AnthropicAgent, PresetAgent
from mux_lsp.engine.backends import Backends, address_of, agents_of, has_a_key
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.config import Agent, Configuration


@dataclass(frozen=True, slots=True)
class AgentLook:
    """One agent. Fields that cannot be determined are None."""

    name: str
    kind: str
    command: str
    """The command line that it runs, with `PROMPT` in place of the prompt."""
    configured: bool
    """True if config.toml names it; the other agents are available without configuration."""
    installed: bool | None
    install: str | None
    """The command that installs it."""
    version: str | None
    logged_in: bool | None


async def look_at(configuration: Configuration, environment: Mapping[str, str]) -> list[AgentLook]:
    """List every agent, configured ones first. The programs are asked for their versions in parallel."""
    agents = agents_of(configuration)
    names = sorted(agents, key=lambda name: (name not in configuration.agents, name))
    return list(await asyncio.gather(*(_describe(name, agents[name], configuration, environment) for name in names)))


async def _describe(name: str, agent: Agent, configuration: Configuration, environment: Mapping[str, str]) -> AgentLook:
    configured = name in configuration.agents
    match agent:
        case AnthropicAgent():
            command = f"{agent.model} at {without_login(address_of(agent, environment)) or 'the Anthropic API'}"
            return AgentLook(name, agent.kind, command, configured, True, None, None, has_a_key(agent, environment))
        case PresetAgent():
            preset, whole = PRESETS[agent.kind], {**environment, **agent.environment}
            program = program_of(preset, whole)
            try:
                command = Backends(configuration).preset(agent).command_line()
            except UsageError as error:
                command = str(error)
            return AgentLook(
                name,
                agent.kind,
                command,
                configured,
                program is not None,
                preset.install,
                None if program is None else await version_of(program, whole),
                looks_logged_in(preset, whole),
            )
        case _:
            if isinstance(agent.command, str):
                return AgentLook(name, agent.kind, agent.command, configured, None, None, None, None)
            there = shutil.which(agent.command[0], path={**environment, **agent.environment}.get("PATH")) is not None
            return AgentLook(name, agent.kind, " ".join(agent.command), configured, there, None, None, None)
