"""Resolve agents' names to backends."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.builtin.keys import is_on_this_machine
from mux_lsp.agents.command import CommandBackend, inline_command
from mux_lsp.agents.presets.backend import PresetBackend
from mux_lsp.agents.presets.preset import commands_of
from mux_lsp.agents.presets.registry import PRESETS, installed, program_of
from mux_lsp.config import AcpAgent, AnthropicAgent, PresetAgent
from mux_lsp.core.permissions import rules
from mux_lsp.core.sanitize import printable
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.agents.backend import Backend
    from mux_lsp.agents.builtin.api import Api
    from mux_lsp.config import Agent, Configuration

BUILT_IN = "anthropic"
"""Name of the built-in agent, unless the configuration has an agent of that name."""

NO_AGENT: Final = (
    "No agent was named, and there is none to take by itself: set ANTHROPIC_API_KEY for the built-in agent, or install "
    f"one of {', '.join(PRESETS)} (with `mux-lsp stop` where PATH has changed since the daemon was started), "
    "or name a command line, `sh:COMMAND`. `mux-lsp demo` shows how it all works without any of them."
)
"""Message for a person who has no agent."""


def no_agent(configuration: Configuration) -> str:
    """Return the message for a person who named no agent, if there is no default agent."""
    if not configuration.agents:
        return NO_AGENT
    names = ", ".join(printable(name) for name in sorted(configuration.agents))
    return (
        f"No agent was named: name one ({names}), or say in config.toml which to take by itself, by `agents` under "
        "[defaults]."
    )


def default_agents(configuration: Configuration, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the agents of a task that names none, in the form that `config.parse_choice` parses: the configured
    defaults; else the built-in agent, if it has a key or needs none; else the first command-line agent that is
    installed. Empty if there is no such agent.
    """
    if configuration.defaults.agents:
        return configuration.defaults.agents
    built_in = configuration.agents.get(BUILT_IN, AnthropicAgent())
    if isinstance(built_in, AnthropicAgent) and has_a_key(built_in, environment):
        return (BUILT_IN,)
    return tuple(preset.name for preset in installed(environment)[:1])


def has_a_key(settings: AnthropicAgent, environment: Mapping[str, str]) -> bool:
    sources = (environment.get(settings.api_key_env), settings.api_key_command, settings.api_key_keyring)
    return any(sources) or is_on_this_machine(address_of(settings, environment))


def address_of(settings: AnthropicAgent, environment: Mapping[str, str]) -> str:
    """Return the base URL of the server; "" for Anthropic's API. The SDK reads the same variable."""
    return settings.base_url or environment.get("ANTHROPIC_BASE_URL", "")


def agents_of(configuration: Configuration) -> dict[str, Agent]:
    """Return every agent by name: the configured ones, and those that need no configuration."""
    known: dict[str, Agent] = {BUILT_IN: AnthropicAgent()}
    known |= {name: PresetAgent.model_validate({"kind": name}) for name in PRESETS}
    return dict(sorted({**known, **configuration.agents}.items()))


def names_of(configuration: Configuration, agent: str) -> frozenset[str]:
    """Return the names under which `[runs]` may limit an agent: its own and its kind."""
    if inline_command(agent) is not None:
        return frozenset({"command"})
    configured = agents_of(configuration).get(agent)
    return frozenset({agent} if configured is None else {agent, configured.kind})


class Backends:
    """Backends of the configured agents, of those that need no configuration, and of `sh:COMMAND`."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def get(self, agent: str) -> Backend:
        """Return the backend of an agent. Raises UsageError if there is no agent of that name."""
        grace = self._configuration.runs.grace_seconds
        if (command := inline_command(agent)) is not None:
            return CommandBackend(command, grace=grace)
        configured = agents_of(self._configuration).get(agent)
        match configured:
            case None:
                known = ", ".join(agents_of(self._configuration))
                raise UsageError(
                    f"There is no agent {printable(agent)!r} (known: {known}): add it to config.toml as [agents.NAME], "
                    "or use 'sh:COMMAND'."
                )
            case AnthropicAgent():
                return _built_in(configured, grace)
            case AcpAgent():
                from mux_lsp.agents.acp.backend import AcpBackend

                return AcpBackend(configured.command, configured.environment, configured.mode, grace=grace)
            case PresetAgent():
                return self.preset(configured)
            case _:
                return CommandBackend(configured.command, configured.environment, grace=grace)

    def check(self, agent: str) -> None:
        """Raise UsageError if there is no agent of that name, or if its program is known to be missing."""
        self.get(agent)
        configured = agents_of(self._configuration).get(agent)
        if not isinstance(configured, PresetAgent):
            return
        preset = PRESETS[configured.kind]
        if program_of(preset, {**os.environ, **configured.environment}) is None:
            raise UsageError(
                f"{printable(agent)} is not installed: there is no program {preset.program!r} on PATH. Install it "
                f"(`{preset.install}`), and say `mux-lsp stop` where PATH has changed since the daemon was started."
            )

    def preset(self, agent: PresetAgent) -> PresetBackend:
        """Return the backend of a preset agent."""
        permissions = self._configuration.permissions
        allow = permissions.allow if agent.allow is None else agent.allow
        return PresetBackend(
            PRESETS[agent.kind],
            agent.model,
            agent.arguments,
            agent.environment,
            commands_of(rules(allow, permissions.deny)),
            self._configuration.runs.grace_seconds,
        )


def api_of(configuration: Configuration, agent: str, model: str | None) -> Api:
    """Return the API client of an agent of kind `anthropic`."""
    settings = agents_of(configuration)[agent]
    assert isinstance(settings, AnthropicAgent), "the settings were checked"  # noqa: S101
    return _api(settings, model)


def _built_in(settings: AnthropicAgent, grace: float) -> Backend:
    from mux_lsp.agents.builtin.loop import BuiltinBackend, TurnLimits

    limits = TurnLimits(settings.max_turns, settings.max_cost_usd, settings.max_tokens)
    return BuiltinBackend(functools.partial(_api, settings), limits, frozenset({settings.api_key_env}), grace)


def _api(settings: AnthropicAgent, model: str | None) -> Api:
    from mux_lsp.agents.builtin.api import CLEARING, COMPACTING, Api
    from mux_lsp.agents.builtin.keys import KeySource

    without = "none" if is_on_this_machine(address_of(settings, os.environ)) else None
    key = KeySource(settings.api_key_env, settings.api_key_command, settings.api_key_keyring, without)
    return Api(
        model or settings.model,
        settings.base_url,
        key.get,
        settings.effort,
        settings.max_output_tokens,
        (CLEARING, COMPACTING) if settings.context_management else (),
    )
