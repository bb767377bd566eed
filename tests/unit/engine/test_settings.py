"""Test which settings of a repository take effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from mux_lsp.config import Configuration
from mux_lsp.core.model import Setup
from mux_lsp.engine.repository.settings import (
    LARGEST,
    RepositoryConfig,
    RepositorySettings,
    load_repository_config,
    settings_of,
)

ROOT = Path("/r")
OWN = b"""
agents = ["own*2"]
checks = ["own check"]
setup = ["own setup"]
protected = ["own/"]
"""


def offer(text: bytes) -> RepositoryConfig:
    return load_repository_config(ROOT, {"mux.toml": text})


def configuration(**said: object) -> Configuration:
    return Configuration.model_validate(
        {
            "defaults": {"agents": ["default"], "checks": ["default check"]},
            "runs": {"check_timeout_seconds": 7},
            "repository": [{"path": "/other", "checks": ["wrong"]}, {"path": "/r", **said}],
        }
    )


def test_what_is_trusted_wins_over_the_defaults_and_the_person_over_both() -> None:
    own = offer(OWN)
    assert own.digest is not None
    found = settings_of(ROOT, configuration(checks=["mine"], check_timeout_seconds=9), own, {own.digest})
    assert found == RepositorySettings(("own*2",), ("mine",), Setup(("own setup",)), ("own/",), 9)


def test_what_is_not_trusted_does_not_count() -> None:
    own = offer(OWN)
    found = settings_of(ROOT, configuration(setup=["mine"], setup_inputs=["x"]), own, ())
    assert found.notices == (
        "The mux.toml of /r does not count, since you have not trusted it: `mux-lsp trust` there shows what it would "
        "run, and asks.",
    )
    assert (found.agents, found.checks) == (("default",), ("default check",))
    assert (found.setup, found.protected, found.check_seconds) == (Setup(("mine",), ("x",)), (), 7)
    assert "it has changed since you trusted it" in settings_of(ROOT, configuration(), own, {"other"}).notices[0]


def test_an_empty_list_is_a_word_too() -> None:
    own = offer(b"checks = []")
    assert own.digest is not None
    assert settings_of(ROOT, configuration(), own, {own.digest}).checks == ()
    assert settings_of(ROOT, configuration(checks=[]), RepositoryConfig(), ()).checks == ()


@pytest.mark.parametrize(
    "same", [b"# words\n" + OWN, OWN.replace(b" = ", b"="), b"\n".join(reversed(OWN.strip().split(b"\n")))]
)
def test_how_it_is_written_does_not_matter(same: bytes) -> None:
    assert offer(same).digest == offer(OWN).digest


@pytest.mark.parametrize("key", [b"own*2", b"own check", b"own setup", b"own/"])
def test_whatever_it_says_matters(key: bytes) -> None:
    assert offer(OWN.replace(key, key + b"x" if key != b"own*2" else b"own*3")).digest != offer(OWN).digest


def test_no_words_are_nothing_to_trust(tmp_path: Path) -> None:
    assert offer(b"# nothing\n") == RepositoryConfig()
    assert load_repository_config(tmp_path, {}) == RepositoryConfig()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff", "it is not UTF-8."),
        (b"#" * (LARGEST + 1), "it is larger than 1 MB."),
        (b"path = '/r'", "mux.toml: path: is not a setting; check its spelling."),
        (b"setup = ['']", "mux.toml: setup.0: String should have at least 1 character."),
        (b"check_timeout_seconds = 0", "mux.toml: check_timeout_seconds: Input should be greater than 0."),
        (b"[[repository]]\npath = '/r'", "mux.toml: repository: is not a setting; check its spelling."),
    ],
)
def test_what_cannot_be_read_does_not_count(text: bytes, problem: str) -> None:
    own = offer(text)
    assert own == RepositoryConfig(problem=problem)
    found = settings_of(ROOT, configuration(), own, ())
    assert found.notices == (f"The mux.toml of /r does not count: {problem}",)
    assert found.checks == ("default check",)


def test_what_is_no_plain_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "mux.toml").mkdir()
    problem = load_repository_config(tmp_path, {}).problem
    assert problem is not None
    assert problem.startswith("it cannot be read (")
