"""Which backend stands behind an agent's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.agents.command import CommandBackend, inline_command
from mux_lsp.agents.log import printable
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.agents.backend import Backend
    from mux_lsp.config import Configuration


class Backends:
    """The agents of a configuration, and `sh:COMMAND`."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def of(self, agent: str) -> Backend:
        """The backend of an agent. Raises UsageError where there is no agent of that name."""
        grace = self._configuration.runs.grace_seconds
        if (command := inline_command(agent)) is not None:
            return CommandBackend(command, grace=grace)
        configured = self._configuration.agents.get(agent)
        if configured is None:
            known = ", ".join(sorted(self._configuration.agents)) or "none is configured"
            raise UsageError(
                f"There is no agent {printable(agent)!r} (known: {known}): add it to config.toml as [agents.NAME], "
                "or use 'sh:COMMAND'."
            )
        return CommandBackend(configured.command, configured.environment, grace=grace)
