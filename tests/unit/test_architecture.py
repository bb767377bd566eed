"""Check that the documents for developers name only paths, modules and symbols of the tree.

`mux_lsp/README.md` names paths and modules relative to the package, `.github/CONTRIBUTING.md` relative to the root.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mux_lsp.lsp.protocol import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "mux_lsp"
ARCHITECTURE: Final = PACKAGE / "README.md"
GUIDE: Final = ROOT / ".github" / "CONTRIBUTING.md"

ELSEWHERE: Final = frozenset(
    {"daemon.json", "daemon.log", "person.key", "config.toml", "mux.toml", "shadow.git", "restored/"}
    | {"refs/mux/", "app.py", "vX.Y.Z", "muxLsp.trace.server", "release.yml"}
    | {"LanguageServer", "workspace/applyEdit"}
)
"""Names in backticks that are not of this tree: files of the state folder, examples, and words of LSP and libraries."""

PATH: Final = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?(?:::[\w ,]+)?")
DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
CLASS: Final = re.compile(r"[A-Z][a-z]\w*[A-Z]\w*")
SUFFIXES: Final = (".py", ".md", ".toml", ".json", ".yml", ".txt", ".ts", ".lua")


def named(document: Path) -> list[str]:
    """Return what a document has in backticks, without its blocks of code."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return list(dict.fromkeys(re.findall(r"`([^`\n]+)`", text)))


def missing(names: list[str]) -> list[str]:
    """Return those of the names that look like a path, a module, a symbol or a class of ours, and are not there."""
    return [name for name in names if name not in ELSEWHERE and not _is_there(name)]


def _is_there(name: str) -> bool:
    if PATH.fullmatch(name) and ("/" in name or name.endswith(SUFFIXES)):
        path = name.partition("::")[0]
        return any((folder / path).exists() for folder in (ROOT, PACKAGE))
    if DOTTED.fullmatch(name):
        return name in COMMANDS or name.startswith("mux.client.") or _is_symbol(name.split("."))
    return not CLASS.fullmatch(name) or name in classes()


def _is_symbol(parts: list[str]) -> bool:
    if parts[0] in classes():
        return len(parts) == 2 and parts[1] in classes()[parts[0]]
    if hasattr(builtins, parts[0]):
        return hasattr(getattr(builtins, parts[0]), parts[1])
    for folder in (PACKAGE, ROOT):
        for length in range(len(parts), 0, -1):
            module, symbol = folder.joinpath(*parts[:length]), parts[length:]
            if module.is_dir() and not symbol:
                return True
            if module.with_suffix(".py").exists():
                known = members(module.with_suffix(".py"))
                return not symbol or (symbol[0] in known and (len(symbol) == 1 or symbol[1] in known[symbol[0]]))
    return False


@functools.cache
def members(module: Path) -> dict[str, frozenset[str]]:
    """Return the names that a module defines, each with the members of the class that it is."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    found = {name: frozenset[str]() for name in _defined(body)}
    for node in body:
        if isinstance(node, ast.ClassDef):
            own = (target for target in ast.walk(node) if isinstance(target, ast.Attribute) and _is_self(target))
            found[node.name] = frozenset((*_defined(node.body), *(target.attr for target in own)))
    return found


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case _:
                pass


@functools.cache
def classes() -> dict[str, frozenset[str]]:
    """Return the classes of the package by name, with the members of all classes of that name."""
    found: dict[str, frozenset[str]] = {}
    for module in PACKAGE.rglob("*.py"):
        for name, own in members(module).items():
            if CLASS.fullmatch(name) or own:
                found[name] = found.get(name, frozenset()) | own
    return found


@pytest.mark.parametrize("document", [ARCHITECTURE, GUIDE], ids=lambda path: path.name)
def test_every_name_in_backticks_is_there(document: Path) -> None:
    names = named(document)
    assert len(names) > 50
    assert missing(names) == []


@pytest.mark.parametrize(
    "name",
    [
        "engine/accept.py",
        "tests/unit/test_nothing.py",
        "nothing.py",
        "engine.review.select.nothing",
        "engine.state.registry.TaskRegistry.nothing",
        "engine.nothing.select",
        "mux.nothing.start",
        "Run.taken",
        "TaskBook",
    ],
)
def test_what_is_not_there_is_found(name: str) -> None:
    assert missing([name]) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "engine/review/select.py",
        "tests/unit/",
        "engine.review.select.select",
        "engine.state.registry.TaskRegistry.advance",
        "tests.support.words",
        "mux.task.start",
        "Run.result_complete",
        "TaskRegistry",
        "str.splitlines",
        "mux-lsp serve",
        "make check",
        "applied",
    ],
)
def test_what_is_there_is_not_found(name: str) -> None:
    assert missing([name]) == []


@pytest.mark.parametrize("room", ["engine", "lsp"])
def test_the_rooms_are_those_of_the_import_rules_in_their_order(room: str) -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contracts = tools["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one.get("containers") == [f"mux_lsp.{room}"]]
    text = ARCHITECTURE.read_text(encoding="utf-8")
    (table,) = re.findall(rf"^### The rooms of `{room}/`\n(.*?)^#", text, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| ((?:`[\w/.]+`(?:, )?)+) \|", table, re.MULTILINE)
    documented = [{Path(name).stem for name in re.findall(r"`([^`]+)`", row)} for row in rows]
    assert documented == [set(layer.split(" | ")) for layer in layers]
