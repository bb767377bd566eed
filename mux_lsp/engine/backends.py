"""Which backend stands behind an agent's name."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mux_lsp.agents.command import CommandBackend, inline_command
from mux_lsp.agents.log import printable
from mux_lsp.config import AnthropicAgent
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.agents.backend import Backend
    from mux_lsp.agents.builtin.api import Api
    from mux_lsp.config import Configuration

BUILT_IN = "anthropic"
"""The name of the built-in agent where configuration has no agent of that name."""


class Backends:
    """The agents of a configuration, the built-in one, and `sh:COMMAND`."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def of(self, agent: str) -> Backend:
        """The backend of an agent. Raises UsageError where there is no agent of that name."""
        grace = self._configuration.runs.grace_seconds
        if (command := inline_command(agent)) is not None:
            return CommandBackend(command, grace=grace)
        configured = self._configuration.agents.get(agent)
        if configured is None and agent == BUILT_IN:
            configured = AnthropicAgent()
        match configured:
            case None:
                known = ", ".join(sorted({*self._configuration.agents, BUILT_IN}))
                raise UsageError(
                    f"There is no agent {printable(agent)!r} (known: {known}): add it to config.toml as [agents.NAME], "
                    "or use 'sh:COMMAND'."
                )
            case AnthropicAgent():
                return _built_in(configured)
            case _:
                return CommandBackend(configured.command, configured.environment, grace=grace)


def _built_in(settings: AnthropicAgent) -> Backend:
    from mux_lsp.agents.builtin.loop import BuiltinBackend, Limits

    limits = Limits(settings.max_turns, settings.max_cost_usd, settings.max_tokens)
    return BuiltinBackend(functools.partial(_api, settings), limits, frozenset({settings.api_key_env}))


def _api(settings: AnthropicAgent, model: str | None) -> Api:
    from mux_lsp.agents.builtin.api import Api
    from mux_lsp.agents.builtin.keys import KeySource

    key = KeySource(settings.api_key_env, settings.api_key_command, settings.api_key_keyring)
    return Api(
        model or settings.model,
        settings.base_url,
        key.get,
        settings.effort,
        settings.max_output_tokens,
        settings.context_management,
    )
