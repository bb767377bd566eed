"""Test which part of a project's files configures its checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.settings import MIXED, same_judging_part

PYPROJECT = (
    '[project]\nname = "a"\ndependencies = ["x"]\n[tool.pytest.ini_options]\naddopts = "-q"\n[tool.uv]\ndev = 1\n'
)
SETUP_CFG = "[metadata]\nname = a\n[options]\ninstall_requires = x\n[tool:pytest]\naddopts = -q\n[flake8]\nmax = 1\n"
PACKAGE = '{"name": "a", "version": "1", "dependencies": {"x": "1"}, "scripts": {"test": "jest"}, "jest": {"a": 1}}'
CARGO = """[package]
name = "a"
autotests = true
[dependencies]
x = "1"
[lints.clippy]
all = "deny"
[target.x.dependencies]
"""


@pytest.mark.parametrize(
    ("name", "text", "old", "new", "same"),
    [
        ("pyproject.toml", PYPROJECT, '["x"]', '["x", "y"]', True),
        ("pyproject.toml", PYPROJECT, "dev = 1", "dev = 2", True),
        ("pyproject.toml", PYPROJECT, '"-q"', "'-q'  # the same", True),
        ("pyproject.toml", PYPROJECT, '"-q"', '"-q --deselect x"', False),
        ("pyproject.toml", PYPROJECT, "[tool.uv]", "[tool.ruff]\nselect = []\n[tool.uv]", False),
        ("pyproject.toml", PYPROJECT, "[project]", "[project", False),
        ("pyproject.toml", PYPROJECT, "[project]", "tool = 1\n[project]", False),
        ("setup.cfg", SETUP_CFG, "install_requires = x", "install_requires = y", True),
        ("setup.cfg", SETUP_CFG, "addopts = -q", "addopts = -x", False),
        ("setup.cfg", SETUP_CFG, "[flake8]", "[mypy]\na = 1\n[flake8]", False),
        ("setup.cfg", SETUP_CFG, "[metadata]", "no section\n[metadata]", False),
        ("package.json", PACKAGE, '"x": "1"', '"x": "2", "y": "1"', True),
        ("package.json", PACKAGE, '"test": "jest"', '"test": "true"', False),
        ("package.json", PACKAGE, '"a": 1', '"a": 2', False),
        ("package.json", PACKAGE, '"name"', "name", False),
        ("Package.JSON", PACKAGE, '"version": "1"', '"version": "2"', True),
        ("Cargo.toml", CARGO, 'x = "1"', 'x = "2"', True),
        ("Cargo.toml", CARGO, "[target.x.dependencies]\n", '[target.x.dependencies]\ny = "1"\n', True),
        ("Cargo.toml", CARGO, 'name = "a"', 'name = "b"', True),
        ("Cargo.toml", CARGO, "autotests = true", "autotests = false", False),
        ("Cargo.toml", CARGO, '"deny"', '"allow"', False),
    ],
)  # fmt: skip
def test_only_what_checks_read_counts(name: str, text: str, old: str, new: str, same: bool) -> None:
    assert old in text
    assert same_judging_part(name, text.encode(), text.replace(old, new).encode()) is same


@pytest.mark.parametrize(
    ("name", "plain", "judging"),
    [
        ("pyproject.toml", '[project]\nname = "a"\n', PYPROJECT),
        ("setup.cfg", "[metadata]\nname = a\n", SETUP_CFG),
        ("package.json", '{"name": "a"}', PACKAGE),
        ("Cargo.toml", '[package]\nname = "a"\n', CARGO),
    ],
)
def test_a_new_file_counts_if_it_configures_checks(name: str, plain: str, judging: str) -> None:
    assert same_judging_part(name, b"", plain.encode())
    assert not same_judging_part(name, b"", judging.encode())


@given(st.sampled_from(MIXED), st.binary(max_size=200), st.binary(max_size=200))
def test_nothing_raises(name: str, old: bytes, new: bytes) -> None:
    assert same_judging_part(name, old, old)
    same_judging_part(name, old, new)


def test_what_is_nested_too_deep_does_not_raise() -> None:
    assert not same_judging_part("package.json", b"{}", b'{"jest": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert not same_judging_part("pyproject.toml", b"", b"a = " + b"[" * 10_000 + b"]" * 10_000)
