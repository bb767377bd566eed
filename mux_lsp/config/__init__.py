"""Read the person's settings in `config.toml`, validated as a whole. If the file is missing, the defaults apply."""

from mux_lsp.config.agents import AcpAgent, Agent, AnthropicAgent, CommandAgent, PresetAgent, parse_choice
from mux_lsp.config.loading import load, of_repository
from mux_lsp.config.sections import (
    Configuration,
    JudgeSection,
    LimitsSection,
    OfRepository,
    RankingSection,
    RepositorySection,
    RunsSection,
)

__all__ = [
    "AcpAgent",
    "Agent",
    "AnthropicAgent",
    "CommandAgent",
    "Configuration",
    "JudgeSection",
    "LimitsSection",
    "OfRepository",
    "PresetAgent",
    "RankingSection",
    "RepositorySection",
    "RunsSection",
    "load",
    "of_repository",
    "parse_choice",
]
