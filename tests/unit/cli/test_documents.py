"""Check the README and the documents against the code: commands, options, settings, links and blocks of code."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from pydantic import BaseModel

from mux_lsp import config
from mux_lsp.cli import help as help_module
from mux_lsp.cli.main import commands
from mux_lsp.config import Configuration, parse_choice

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]

FILES = [ROOT / "README.md", *sorted(help_module.DOCUMENTS.iterdir())]

TEXTS = {file.name: file.read_text(encoding="utf-8") for file in FILES}

README = TEXTS["README.md"]

OF_OTHERS = {"--setting-sources", "--strict-mcp-config"}
"""Options of agents that the documents mention."""

LANGUAGES = {"", "sh", "toml", "lua"}

LONGEST_CODE = 120
"""Maximum columns of a line of code, as in the code itself."""


def blocks(text: str, language: str) -> list[str]:
    """Return every block of code whose fence names this language."""
    return [code for named, code in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text) if named == language]


def prose(text: str) -> str:
    """Return the text without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def inline(text: str) -> list[str]:
    """Return every piece of code in a line of text or in a table."""
    return [" ".join(code.replace("\\|", "|").split()) for code in re.findall(r"`([^`]+)`", prose(text))]


def typed(text: str) -> list[str]:
    """Return the command lines that begin with `mux-lsp` or `$ mux-lsp`, up to a pipe."""
    lines = [
        line.strip().removeprefix("$ ")
        for block in [*blocks(text, ""), *blocks(text, "sh")]
        for line in block.replace("\\\n", "").splitlines()
    ]
    found = [line for line in lines if line.startswith("mux-lsp ")]
    found += [line for line in inline(text) if re.match("mux-lsp [a-z]", line)]
    return [re.split(r"   | \| ", line)[0] for line in found]


def usages() -> list[str]:
    """Return the first column of the table of commands."""
    table = TEXTS["getting-started.md"].partition("| command | what it does |")[2].partition("\n\n")[0]
    return [usage for row in table.splitlines() for usage in re.findall(r"`([^`]*)`", row.split(" | ")[0])]


def every(find: Callable[[str], list[str]]) -> list[tuple[str, str]]:
    """Return each finding with the name of its document."""
    return [(name, found) for name, text in TEXTS.items() for found in dict.fromkeys(find(text))]


@pytest.mark.parametrize(("name", "line"), every(typed))
def test_a_command_line_is_one(name: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command = commands.commands[words[0]]
    try:
        command.make_context(words[0], words[1:])
    except click.exceptions.Exit:  # `--help` was given
        assert words[1:] == ["--help"], name


def options(text: str) -> list[str]:
    return [word for code in inline(text) for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", code)]


@pytest.mark.parametrize(("name", "option"), every(options))
def test_an_option_exists(name: str, option: str) -> None:
    known = {word for command in commands.commands.values() for parameter in command.params for word in parameter.opts}
    if option not in {"--help", "-R"}:
        assert option in known | OF_OTHERS, name


@pytest.mark.parametrize("usage", usages())
def test_the_table_names_commands_and_options_that_exist(usage: str) -> None:
    command = commands.commands[usage.split(maxsplit=1)[0]]
    options = {word for parameter in command.params for word in parameter.opts}
    assert set(re.findall(r"[\[|](--?[a-z][a-z-]*)", usage)) <= options


def test_the_table_names_every_command_but_those_for_machines() -> None:
    assert {usage.split()[0] for usage in usages()} == set(commands.commands) - {"serve", "daemon", "demo"}


def test_the_configuration_is_valid() -> None:
    [text] = [block for document in TEXTS.values() for block in blocks(document, "toml")]
    configuration = Configuration.model_validate(tomllib.loads(text))
    assert [parse_choice(agent)[0] for agent in configuration.defaults.agents] == ["claude", "codex"]
    # The figures are the defaults. Exceptions: limits, which have no default, and values that depend on the number of
    # the machine's processors.
    at_once = max(configuration.runs.checks_at_once, os.cpu_count() or 1)
    shown = configuration.runs.model_copy(update={"limits": {}, "checks_at_once": at_once})
    assert shown == Configuration().runs
    assert configuration.ranking == Configuration().ranking
    assert configuration.daemon == Configuration().daemon
    assert {name for name, value in Configuration().limits if value is not None} == {"runs", "depth"}
    assert configuration.limits.model_fields_set == set(config.LimitsSection.model_fields)
    assert (configuration.limits.runs, configuration.limits.depth) == (Configuration().limits.runs, 1)


MODELS = [
    *(type(section) for _, section in Configuration() if isinstance(section, BaseModel)),
    config.RepositorySection,
    config.AnthropicAgent,
    config.CommandAgent,
    config.AcpAgent,
    config.PresetAgent,
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_is_in_the_document(model: type[BaseModel]) -> None:
    text = TEXTS["configuration.md"]
    assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", text)] == []


def sections(text: str) -> list[str]:
    """Return the sections of `config.toml` that the text names; some are followed by a key."""
    return [code for code in inline(text) if re.match(r"\[\[?[a-z]+\]", code)]


@pytest.mark.parametrize(("name", "section"), every(sections))
def test_a_section_exists(name: str, section: str) -> None:
    title, key = re.fullmatch(r"\[+(\w+)\]+ ?(\w*)", section).groups()  # type: ignore[union-attr]
    found = dict(Configuration()).get(title)
    assert found is not None, name
    assert not key or key in type(found).model_fields, name


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", prose(text))


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"(?m)^#+ (.*)$", prose(file.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("name", "link"), every(links))
def test_a_link_leads_somewhere(name: str, link: str) -> None:
    if link.startswith("https://"):
        return
    document = next(file for file in FILES if file.name == name)
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    assert target.is_file()
    assert target.is_relative_to(ROOT)
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize("name", TEXTS)
def test_code_is_in_a_known_language_and_not_too_wide(name: str) -> None:
    text = TEXTS[name]
    assert set(re.findall(r"(?m)^```(.+)$", text)) <= LANGUAGES
    code = [line for language in LANGUAGES for block in blocks(text, language) for line in block.splitlines()]
    assert [line for line in code if len(line) > LONGEST_CODE] == []


@pytest.mark.parametrize(("name", "script"), every(lambda text: blocks(text, "sh")))
def test_a_script_is_one(name: str, script: str) -> None:
    done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), name


def test_the_readme_is_one_screen_and_names_every_topic() -> None:
    assert len(README.splitlines()) <= 80
    table = README.partition("## Where to go on")[2]
    assert re.findall(r"\[([a-z-]+)\]\(mux_lsp/docs/\1\.md\)", table) == list(help_module.TOPICS)


def test_the_readmes_two_commands_are_those_of_the_makefile_and_of_ci() -> None:
    [block] = blocks(README.partition("## Two commands")[2].partition("\n## ")[0], "")
    targets = [line.split("#")[0].split() for line in block.splitlines()]
    assert targets == [["make", "demo"], ["make", "test"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"(?m)^{target}:", makefile) for _, target in targets)
