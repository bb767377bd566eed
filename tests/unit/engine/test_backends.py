"""Test which agent a task gets if it names none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.config import Configuration
from mux_lsp.engine.backends import NO_AGENT, default_agents, no_agent

if TYPE_CHECKING:
    from pathlib import Path

KEY = {"ANTHROPIC_API_KEY": "k"}


@pytest.mark.parametrize(
    ("settings", "environment", "programs", "chosen"),
    [
        ({}, {}, [], ()),
        ({}, KEY, [], ("anthropic",)),
        ({}, KEY, ["claude"], ("anthropic",)),
        ({}, {"ANTHROPIC_API_KEY": ""}, ["codex", "claude"], ("claude",)),
        ({}, {}, ["aider", "codex"], ("codex",)),
        ({}, {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9/"}, ["claude"], ("anthropic",)),
        ({}, {"ANTHROPIC_BASE_URL": "https://example.org"}, [], ()),
        ({"agents": {"anthropic": {"kind": "anthropic", "api_key_env": "MINE"}}}, KEY, [], ()),
        ({"agents": {"anthropic": {"kind": "anthropic", "api_key_env": "MINE"}}}, {"MINE": "k"}, [], ("anthropic",)),
        ({"agents": {"anthropic": {"kind": "anthropic", "api_key_command": "pass k"}}}, {}, [], ("anthropic",)),
        ({"agents": {"anthropic": {"kind": "command", "command": "true"}}}, KEY, [], ()),
        ({"defaults": {"agents": ["codex*2"]}}, KEY, ["claude"], ("codex*2",)),
    ],
)
def test_the_default(
    settings: dict[str, Any], environment: dict[str, str], programs: list[str], chosen: tuple[str, ...], tmp_path: Path
) -> None:
    for name in programs:
        (tmp_path / name).touch(mode=0o755)
    configuration = Configuration.model_validate(settings)
    assert default_agents(configuration, {"PATH": str(tmp_path), **environment}) == chosen


def test_who_has_agents_and_names_none_is_told_of_them() -> None:
    assert no_agent(Configuration()) == NO_AGENT
    mine = {name: {"kind": "command", "command": "true"} for name in ("mine", "hers")}
    told = no_agent(Configuration.model_validate({"agents": mine}))
    assert told.startswith("No agent was named: name one (hers, mine), or say in config.toml ")
