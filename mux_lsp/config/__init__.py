"""The person's settings: `config.toml`, read whole and validated whole. A missing file means the defaults."""

from mux_lsp.config.agents import AcpAgent, Agent, AnthropicAgent, CommandAgent, PresetAgent, parse_choice
from mux_lsp.config.loading import load, of_repository
from mux_lsp.config.sections import (
    Configuration,
    Judge,
    Limits,
    OfRepository,
    Ranking,
    Repository,
    Runs,
)

__all__ = [
    "AcpAgent",
    "Agent",
    "AnthropicAgent",
    "CommandAgent",
    "Configuration",
    "Judge",
    "Limits",
    "OfRepository",
    "PresetAgent",
    "Ranking",
    "Repository",
    "Runs",
    "load",
    "of_repository",
    "parse_choice",
]
