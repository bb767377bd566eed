"""Find which protected files an attempt has changed: tests, and the configuration of checks.

Editing a test is not wrong in itself; the prompt may have asked for it. So the findings are only reported, and the
checks run once more with these files restored from the snapshot.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp.core.model import ChangeKind
from mux_lsp.core.patterns import matcher
from mux_lsp.core.settings import MIXED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from mux_lsp.core.model import FileChange

TESTS: Final = (
    "test_*.py", "*_test.py", "tests.py", "*_test.go", "*_test.rs", "*_test.exs", "*_test.c", "*_test.cc", "*_test.cpp",
    "*_test.rb", "*_spec.rb", "*_test.lua", "*_spec.lua", "*_test.dart", "*_test.ml",
    "*.test.js", "*.test.jsx", "*.test.ts", "*.test.tsx", "*.test.mjs", "*.test.cjs", "*.test.mts", "*.test.cts",
    "*.spec.js", "*.spec.jsx", "*.spec.ts", "*.spec.tsx", "*.spec.mjs", "*.spec.cjs", "*.spec.mts", "*.spec.cts",
    "*.bats", "*.snap",
    "test/", "tests/", "testdata/", "spec/", "__tests__/", "__snapshots__/", "e2e/", "cypress/",
)  # fmt: skip
"""Tests and the files beside them: data, helpers, expected output."""

_TEST_CLASS: Final = re.compile(
    r"(?:\A|/)(?:Test[A-Z0-9]\w*|(?:\w*[a-z0-9_])?(?:Tests?|IT|Spec))\.(?:java|kt|kts|scala|groovy|cs|php|swift)\Z"
)
"""Names of test files in languages that name files after classes. Case matters: `Latest.java` is not a test."""

SETTINGS: Final = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "tox.toml", "noxfile.py",
    "nose.cfg", ".coveragerc", "unittest.cfg", "sitecustomize.py", "usercustomize.py",
    "ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini", ".flake8", ".pylintrc", "pylintrc", "pyrightconfig.json",
    ".pre-commit-config.yaml", ".importlinter",
    "jest.config.*", "jest.setup.*", "jest-setup.*", "setupTests.*", "vitest.config.*", "vitest.setup.*",
    "vitest.workspace.*", "vite.config.*", ".mocharc*", "karma.conf.*", "ava.config.*", "playwright.config.*",
    "cypress.config.*", "wdio.conf.*", ".nycrc*", ".c8rc*", ".eslintrc*", "eslint.config.*", ".eslintignore",
    ".prettierrc*", "prettier.config.*", ".prettierignore", "biome.json", "biome.jsonc", "tsconfig.json",
    "tsconfig.*.json", ".babelrc*", "babel.config.*", "deno.json", "deno.jsonc", "bunfig.toml",
    "Makefile", "GNUmakefile", "*.mk", "justfile", ".justfile", "Taskfile.y*ml", "Rakefile", ".rspec",
    ".rubocop.yml", ".golangci.*", "clippy.toml", ".clippy.toml", "rustfmt.toml", ".rustfmt.toml", ".cargo/config*",
    "nextest.toml", "phpunit.xml*", "phpstan.neon*", ".busted", ".luacheckrc", "selene.toml", ".clang-tidy",
    "CTestTestfile.cmake",
)  # fmt: skip
"""Files that consist entirely of configuration for test runners and linters."""


@dataclass(frozen=True, slots=True)
class ProtectedFiles:
    """Protected files of one repository, for the checks of one task."""

    is_test: Callable[[str], bool]
    is_setting: Callable[[str], bool]
    """Configuration of checks: new files of this kind also change the results."""
    is_mixed: Callable[[str], bool]
    """Files that are configuration in part."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """Protected files that an attempt changed, and the steps that restore their state in the snapshot."""

    files: tuple[str, ...] = ()
    """Paths for people to read: those in the snapshot, or for new files their own."""
    restore: tuple[str, ...] = ()
    """Paths that get the snapshot's version."""
    remove: tuple[str, ...] = ()
    """Paths that must not exist."""


NO_TAMPERING: Final = Tampering()


def protected_files(
    commands: Sequence[str], folder: str, protected: Iterable[str] = (), links: Mapping[str, str] | None = None
) -> ProtectedFiles:
    """Return the protected files for these checks, which run in `folder` ("" for the root).

    `protected` are a person's own patterns. `links` are the symbolic links of the snapshot with their targets: the
    target of a test's link is a test too.
    """
    named = {path for command in commands for path in _named_in(command, folder)}
    test_files, setting_files, own = matcher(TESTS), matcher(SETTINGS), matcher(protected)

    def is_test(path: str) -> bool:
        return test_files(path) or _TEST_CLASS.search(path) is not None

    def is_setting(path: str) -> bool:
        return setting_files(path) or own(path) or path in named

    linked_tests = _below(_targets(links or {}, is_test))
    linked_settings = _below(_targets(links or {}, is_setting))
    return ProtectedFiles(
        is_test=lambda path: is_test(path) or linked_tests(path),
        is_setting=lambda path: is_setting(path) or linked_settings(path),
        is_mixed=matcher(MIXED),
    )


def find_tampering(
    changes: Iterable[FileChange], by: ProtectedFiles, same_settings: Callable[[FileChange], bool]
) -> Tampering:
    """Return which protected files these changes affect, and how to restore them.

    A test that the snapshot had must be unchanged, and configuration that it did not have must be absent. New tests
    are harmless by themselves; but when protected files are restored they are removed too, since they may need what
    the agent changed with them. `same_settings` returns whether the configuration in a mixed file is unchanged.
    """
    files: set[str] = set()
    restore: set[str] = set()
    remove: set[str] = set()
    new_tests: set[str] = set()
    for change in changes:
        old, new = change.base_path, change.path
        if change.kind in _NEW:
            if by.is_setting(new) or (by.is_mixed(new) and not same_settings(change)):
                files.add(new)
                remove.add(new)
            elif by.is_test(new):
                new_tests.add(new)
            continue
        judged = by.is_test(old) or by.is_setting(old)
        if judged or (by.is_mixed(old) and (new != old or not same_settings(change))):
            files.add(old)
        elif new != old and by.is_setting(new):
            # A file of another kind becomes configuration by the new name.
            files.add(new)
        else:
            if new != old and by.is_test(new):
                new_tests.add(new)
            continue
        restore.add(old)
        if new != old:
            remove.add(new)
    if not files:
        return NO_TAMPERING
    return Tampering(tuple(sorted(files)), tuple(sorted(restore)), tuple(sorted((remove | new_tests) - restore)))


_NEW: Final = frozenset({ChangeKind.ADDED, ChangeKind.COPIED})


def _targets(links: Mapping[str, str], judge: Callable[[str], bool]) -> frozenset[str]:
    """Return the targets, within the repository, of the links that `judge` accepts."""
    found = set()
    for path, target in links.items():
        if judge(path):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            # A link to the whole repository is no evidence.
            if place != "." and not place.startswith(("../", "/")) and place != "..":
                found.add(place)
    return frozenset(found)


def _below(places: Collection[str]) -> Callable[[str], bool]:
    return lambda path: bool(places) and any(path == place or path.startswith(f"{place}/") for place in places)


# Files that a command names

_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "source", "."})
"""Shells. A file that they are given to run is protected whatever its name."""

_INTERPRETERS: Final = re.compile(r"(python|pypy|ruby|perl|node|deno|bun|php|lua|luajit|tsx|ts-node)[0-9.]*\Z")
"""Interpreters. A file that they are given may be the program under test: it is protected only if named like a test."""

_WORDS: Final = re.compile(
    r"(?<![a-z])(acceptance|assert|bench|checks?|ci|e2e|grade|judge|lint|score|smoke|spec|tests?|validate|verify)"
    r"(?![a-z])",
    re.IGNORECASE,
)

_RUNNERS: Final = frozenset(
    {"behave", "coverage", "doctest", "flake8", "mypy", "nose2", "nox", "pylint", "pytest", "robot", "ruff", "tox",
     "unittest"}
)  # fmt: skip
"""Modules that run checks. A file of that name in the folder in which they are started is run instead."""

_OPTIONS: Final = frozenset({"--config", "--config-file", "--rcfile", "--configuration", "--makefile"})
"""Options that take a configuration file."""

_SHORT_OPTIONS: Final = {
    "-c": frozenset({"pytest", "py.test", "eslint", "jest", "playwright", "tox", "flake8"}),
    "-f": frozenset({"make", "gmake", "just", "nox"}),
}
"""Short options that take one, by the programs for which they do: `-f` and `-c` mean something else to most others."""

_PREFIXES: Final = frozenset({"env", "exec", "time", "nice", "command", "timeout", "uv", "poetry", "pdm", "run", "npx"})
"""Words before the actual command."""

_BEFORE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=|-|[0-9.]+[smhd]?\Z")
"""A variable assignment before the command, an option of such a word, or a duration."""

_ENDS: Final = frozenset({";", "&", "&&", "|", "||", "(", ")", "{", "}", "!", "if", "then", "else", "do", "while"})


def _named_in(command: str, folder: str) -> set[str]:
    """Return the files that a command starts, or passes to a tool as its configuration, as paths from the root."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        # A shell understands it or reports an error. Splitting at spaces still finds the words.
        words = command.split()
    found: set[str] = set()
    simple: list[str] = []
    for word in [*words, ";"]:
        if word not in _ENDS and word.strip(";&|()"):
            simple.append(word)
            continue
        if simple[:1] == ["cd"] and len(simple) == 2:
            folder = posixpath.join(folder, simple[1])
        found.update(posixpath.normpath(posixpath.join(folder, name)) for name in _named_in_one(simple))
        simple = []
    return {path for path in found if not path.startswith(("/", "../"))}


def _named_in_one(words: Sequence[str]) -> set[str]:
    found = set()
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in _OPTIONS or not _SHORT_OPTIONS.get(option, frozenset[str]()).isdisjoint(words[:number]):
            found.add(value if equals else "".join(words[number + 1 : number + 2]))
    proper = list(words)
    while proper and (proper[0] in _PREFIXES or _BEFORE.match(proper[0])):
        proper.pop(0)
    if proper:
        first, *rest = proper
        program = posixpath.basename(first)
        handed = next((word for word in rest if not word.startswith("-")), "")
        if program in _SHELLS:
            found.add("" if "-c" in rest else handed)
        elif _INTERPRETERS.match(program):
            if "-m" in rest:
                found.update(_module("".join(rest[rest.index("-m") + 1 :][:1])))
            elif "-c" not in rest and _name_suggests_test(handed):
                found.add(handed)
        elif "/" in first and (first.endswith(".sh") or _name_suggests_test(first)):
            found.add(first)
    return found - {""}


def _module(name: str) -> set[str]:
    """Return the files that `python -m` takes for a module, if that module runs checks."""
    if name not in _RUNNERS and not _name_suggests_test(name):
        return set()
    path = name.replace(".", "/")
    return {f"{path}.py", f"{path}/__init__.py", f"{path}/__main__.py"}


def _name_suggests_test(name: str) -> bool:
    return _WORDS.search(name.replace("_", " ")) is not None
