"""Check that additions are complete in all of their files; `.github/CONTRIBUTING.md` has the lists."""

from __future__ import annotations

import ast
import json
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Final, get_args

import click
import pytest

import mux_lsp
from mux_lsp import cli, config
from mux_lsp.agents.presets.registry import PRESETS
from mux_lsp.cli.main import commands
from mux_lsp.config.fields import Section
from mux_lsp.daemon.interactive import PROGRAMS
from tests.e2e.agents import settings

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = Path(mux_lsp.__file__).parent
GUIDE: Final = ROOT / ".github" / "CONTRIBUTING.md"
SAMPLES: Final = Path(__file__).parent / "agents" / "samples"

BY_DOCUMENTS_ONLY: Final = {"aider", "cursor-agent"}
"""Presets that no test has run: npm does not have them, or they require an account."""


def documents() -> str:
    """Return the text of all documents for users."""
    return "".join(one.read_text(encoding="utf-8") for one in (ROOT / "README.md", *PACKAGE.glob("docs/*.md")))


# A preset


def test_every_preset_is_a_kind_of_agents_and_the_reverse() -> None:
    assert set(PRESETS) == set(get_args(config.PresetAgent.model_fields["kind"].annotation))


def test_every_module_of_a_preset_is_registered() -> None:
    modules = {one.name.removesuffix(".py") for one in (PACKAGE / "agents" / "presets").glob("*.py")}
    named = {name.removesuffix("-agent") for name in PRESETS}
    assert named <= modules
    launching = {
        name for name in modules if "def launch(" in (PACKAGE / "agents" / "presets" / f"{name}.py").read_text("utf-8")
    }
    assert launching == named


def test_every_preset_is_recognised_when_the_person_runs_it_in_a_terminal() -> None:
    assert {preset.program for preset in PRESETS.values()} <= set(PROGRAMS)


def test_every_preset_has_recorded_output_and_is_run_as_npm_has_it() -> None:
    assert {name for name in PRESETS if not (SAMPLES / f"{name}.jsonl").exists()} == BY_DOCUMENTS_ONLY
    run = {one.name for one in vars(settings).values() if isinstance(one, settings.Agent)}
    assert set(PRESETS) - run == BY_DOCUMENTS_ONLY


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_in_the_documents(name: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", documents())


# A command of the command line


def test_every_command_of_a_module_is_in_the_list_of_commands() -> None:
    made = {
        value
        for module in pkgutil.walk_packages(cli.__path__, f"{cli.__name__}.")
        for value in vars(import_module(module.name)).values()
        if isinstance(value, click.Command)
    }
    assert {one.name for one in made if one not in commands.commands.values()} == {commands.name}


# A configuration key


def sections(above: type[Section] = Section) -> list[type[Section]]:
    return [one for below in above.__subclasses__() for one in (below, *sections(below))]


COMPUTED: Final = {f"{scope}_{unit}" for scope in ("run", "task", "day", "repository") for unit in ("usd", "tokens")}
"""Limits, which are read by names made of a scope and a unit."""


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_key_is_in_the_documents_and_does_something(section: type[Section], read: frozenset[str]) -> None:
    shown = documents()
    for name in section.model_fields:
        assert re.search(rf"\b{name}\b", shown), f"{name} is in no document"
        assert name in read | COMPUTED, f"nothing reads {name}"


@pytest.fixture(scope="module")
def read() -> frozenset[str]:
    """Return the names of all attributes that the code reads."""
    return frozenset(
        node.attr
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    )


# The guide itself


def test_every_path_that_the_guide_names_is_there() -> None:
    named = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)`", GUIDE.read_text(encoding="utf-8")))
    assert len(named) > 15
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_test_that_the_guide_names_is_there() -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|ts))::([^`]+)`", GUIDE.read_text(encoding="utf-8"))
    assert len(named) > 8
    for path, name in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name}(" in text or f'test("{name}"' in text, f"{path}::{name}"


def test_the_guide_names_every_target_of_make_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(re.findall(r"`make ([a-z-]+)", GUIDE.read_text(encoding="utf-8"))) == set(targets.split())


def test_what_the_editor_is_to_launch_is_there() -> None:
    launch, tasks = (json.loads((ROOT / ".vscode" / name).read_text()) for name in ("launch.json", "tasks.json"))
    labels = {task["label"] for task in tasks["tasks"]}
    for one in launch["configurations"]:
        assert one.get("preLaunchTask") in {None, *labels}
        assert one.get("module", "pytest") in {"pytest", mux_lsp.__name__}
    for path in re.findall(r"\$\{workspaceFolder\}/([\w./-]+?)(?:/out/[*./]+js)?\"", json.dumps([launch, tasks])):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("path", [".vscode/launch.json", ".github/CONTRIBUTING.md"])
def test_git_ignores_none_of_it(path: str) -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert not {f"{path.partition('/')[0]}{end}" for end in ("", "/")} & set(ignored)
