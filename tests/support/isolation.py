"""Isolate the tests from the settings and tools of the person who starts them.

A person's machine has coding agents and editors on its PATH, a git configuration with signing and hooks, and API keys
in its environment. All of these change what mux-lsp does. So the tests begin with an empty home folder, an environment
of known variables only, and a PATH without the programs that mux-lsp looks for. Tests add what they need.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HIDDEN: Final = frozenset(
    {
        "aider", "claude", "codex", "copilot", "cursor-agent", "gemini", "opencode",
        "mux-lsp",
        "rg",
    }
)  # fmt: skip
"""Programs that mux-lsp looks for on the PATH: the presets' agents, mux-lsp, and ripgrep for the built-in agent."""

KEPT: Final = frozenset(
    {"CURL_CA_BUNDLE", "LANG", "LOGNAME", "NODE_EXTRA_CA_CERTS", "PATH", "REQUESTS_CA_BUNDLE", "TMPDIR", "TZ", "USER"}
    | {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)
"""Variables that remain: the person's identity and locale, and the settings for package downloads."""

KEPT_PREFIXES: Final = ("COV", "HYPOTHESIS_", "LC_", "PIP_", "PY", "SSL_", "TESTS_", "npm_config_", "NPM_CONFIG_")
"""Prefixes of the variables that remain: those of Python, the test tools and the package managers."""

_CACHE: Final = "TESTS_CACHE"

CACHE: Final = Path(os.environ.get(_CACHE) or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mux-lsp"
"""The folder for editors, agents and packages that tests install, outside of the tree and kept between test runs."""

_SETTINGS: Final = {
    "PIP_CONFIG_FILE": (".config/pip/pip.conf", ".pip/pip.conf", "Library/Application Support/pip/pip.conf"),
    "npm_config_userconfig": (".npmrc",),
}
"""Settings of the package managers, below the person's home folder: they may name the registry to use."""


def isolate() -> None:
    """Replace the environment of this process. At its end, remove the home folder and everything else made for it."""
    folder = Path(tempfile.mkdtemp(prefix="mux-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = environment(os.environ, Path.home(), folder)
    os.environ.clear()
    os.environ.update(made)


def environment(person: Mapping[str, str], home: Path, folder: Path) -> dict[str, str]:
    """Return the environment for tests that a person with this environment and home folder starts.

    The folders that it names are made below `folder`.
    """
    kept = {name: value for name, value in person.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    for variable, names in _SETTINGS.items():
        found = [str(home / name) for name in names if (home / name).is_file()]
        if found:
            kept.setdefault(variable, found[0])
    if kept.pop("PYTHONDONTWRITEBYTECODE", None):
        # Without a cache, each daemon and each command would compile all of mux-lsp at its start.
        kept["PYTHONPYCACHEPREFIX"] = str(CACHE / "bytecode")
    (folder / "home").mkdir()
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(folder / "home"),
        "PATH": hiding(HIDDEN, kept.get("PATH", os.defpath), folder / "programs"),
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "SHELL": "/bin/sh",
        "npm_config_cache": str(CACHE / "npm-cache"),
        _CACHE: str(CACHE.parent),
    }


def hiding(names: Iterable[str], path: str, folder: Path) -> str:
    """Return a PATH without programs of these names.

    An entry that has one of them is replaced with a folder of links to the other programs of that entry.
    """
    entries = []
    for number, entry in enumerate(dict.fromkeys(path.split(os.pathsep))):
        if not any(Path(entry, name).exists() for name in names):
            entries.append(entry)
            continue
        links = folder / str(number)
        links.mkdir(parents=True)
        for program in Path(entry).resolve().iterdir():
            if program.name not in names:
                (links / program.name).symlink_to(program)
        entries.append(str(links))
    return os.pathsep.join(entries)
