"""Test that the tests run without the settings and the tools of the person who starts them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mux_lsp.agents.presets.registry import PRESETS
from tests.support.isolation import CACHE, HIDDEN, environment, hiding


def program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho {says}\n")
    (folder / name).chmod(0o755)


def test_what_mux_lsp_looks_for_is_hidden_and_nothing_else(tmp_path: Path) -> None:
    assert {preset.program for preset in PRESETS.values()} <= HIDDEN
    for folder, names in (("one", ("claude", "tool")), ("two", ("claude", "other")), ("three", ("last",))):
        for name in names:
            program(tmp_path / folder, name, folder)
    path = hiding(
        {"claude", "rg"}, f"{tmp_path}/one:{tmp_path}/missing:{tmp_path}/two:{tmp_path}/three", tmp_path / "x"
    )
    assert shutil.which("claude", path=path) is None
    assert [Path(str(shutil.which(name, path=path))).resolve() for name in ("tool", "other", "last")] == [
        tmp_path / "one" / "tool",
        tmp_path / "two" / "other",
        tmp_path / "three" / "last",
    ]
    assert path.endswith(f":{tmp_path}/missing:{tmp_path}/x/2:{tmp_path}/three"), "the others stay as they are"


def test_settings_keys_and_folders_of_the_person_are_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".npmrc").touch()
    person = {
        "ANTHROPIC_API_KEY": "k",
        "EDITOR": "code --wait",
        "GIT_DIR": "/elsewhere/.git",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": "/bin",
        "PIP_INDEX_URL": "http://127.0.0.1/simple",
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CONFIG_HOME": str(home / ".config"),
    }
    (tmp_path / "made").mkdir()
    assert environment(person, home, tmp_path / "made") == {
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(tmp_path / "made" / "home"),
        "LC_ALL": "C.UTF-8",
        "PATH": "/bin",
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "PIP_INDEX_URL": "http://127.0.0.1/simple",
        "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),
        "SHELL": "/bin/sh",
        "TESTS_CACHE": str(CACHE.parent),
        "npm_config_cache": str(CACHE / "npm-cache"),
        "npm_config_userconfig": str(home / ".npmrc"),
    }


def test_these_tests_run_like_that() -> None:
    assert Path.home() == Path(os.environ["HOME"])
    assert [name for name in HIDDEN if shutil.which(name)] == []
    assert [name for name in os.environ if name == "EDITOR" or name.startswith(("ANTHROPIC", "XDG_"))] == []
