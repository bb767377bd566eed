"""What the README tells a person to type exists."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from mux_lsp import config
from mux_lsp.cli.main import commands
from mux_lsp.config import Configuration, parse_choice

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")

CONFIGURATION = README.partition("## Configuration")[2].partition("## Where things are")[0]


def typed() -> list[str]:
    """The command lines in the README that begin with `mux-lsp` or `$ mux-lsp`."""
    lines = [
        line.strip().removeprefix("$ ")
        for block in re.findall(r"```\n(.*?)```", README, re.DOTALL)
        for line in block.replace("\\\n", "").splitlines()
    ]
    inline = re.findall(r"`(mux-lsp [a-z][^`]*)`", README)
    return [re.split(r"   ", line)[0] for line in (*lines, *inline) if line.startswith("mux-lsp ")]


def usages() -> list[str]:
    """The first column of the table of commands."""
    table = README.partition("| command | what it does |")[2].partition("\n\n")[0]
    return [usage for row in table.splitlines() for usage in re.findall(r"`([^`]*)`", row.split(" | ")[0])]


@pytest.mark.parametrize("line", typed())
def test_a_command_line_of_the_readme_is_one(line: str) -> None:
    words = shlex.split(line)[1:]
    command = commands.commands[words[0]]
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("usage", usages())
def test_the_table_names_commands_and_options_that_exist(usage: str) -> None:
    command = commands.commands[usage.split(maxsplit=1)[0]]
    options = {word for parameter in command.params for word in parameter.opts}
    assert set(re.findall(r"\[(--?[a-z]+)", usage)) <= options


def test_the_table_names_every_command_but_those_for_machines() -> None:
    assert {usage.split()[0] for usage in usages()} == set(commands.commands) - {"serve", "daemon", "demo"}


def test_the_configuration_of_the_readme_is_valid() -> None:
    [text] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    configuration = Configuration.model_validate(tomllib.loads(text))
    assert [parse_choice(agent)[0] for agent in configuration.defaults.agents] == ["claude", "codex"]
    # The figures that it shows are the defaults, but for limits, of which there are none without being set.
    assert configuration.runs.model_copy(update={"limits": {}}) == Configuration().runs
    assert configuration.ranking == Configuration().ranking
    assert configuration.daemon == Configuration().daemon
    assert {name for name, value in Configuration().limits if value is not None} == {"runs", "depth"}
    assert configuration.limits.model_fields_set == set(config.Limits.model_fields)
    assert (configuration.limits.runs, configuration.limits.depth) == (Configuration().limits.runs, 1)


@pytest.mark.parametrize(
    "model",
    [
        *(type(section) for _, section in Configuration() if isinstance(section, BaseModel)),
        config.Repository,
        config.AnthropicAgent,
        config.CommandAgent,
        config.AcpAgent,
        config.PresetAgent,
    ],
    ids=lambda model: model.__name__,
)
def test_every_setting_is_in_the_readme(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", CONFIGURATION)] == []
