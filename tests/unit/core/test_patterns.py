"""Test patterns of paths."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.patterns import matcher


@pytest.mark.parametrize(
    ("pattern", "named", "others"),
    [
        ("uv.lock", ["uv.lock", "a/uv.lock", "uv.lock/x", "UV.LOCK"], ["uv.locked", "my-uv.lock", "uvxlock"]),
        ("*.lock", ["a.lock", "x/y/.lock"], ["a.lock.txt", "lock"]),
        ("/setup.py", ["setup.py"], ["a/setup.py"]),
        ("a*b*/c*d*.py", ["ab/cd.py", "axbyb/cxxdxd.py"], ["ab/x/cd.py", "a/b/cd.py", "ab/dc.py"]),
        ("ci/*.yml", ["ci/a.yml"], ["ci/a/b.yml", "x/ci/a.yml", "ci/.yaml"]),
        ("tests/", ["tests/a", "a/tests/b/c"], ["tests.py", "mytests/a"]),
        ("tests/**", ["tests/a", "tests/a/b"], ["a/tests/b"]),
        ("**/conf.toml", ["conf.toml", "a/b/conf.toml"], ["aconf.toml"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a/bz", "az"]),
        ("req?.txt", ["req1.txt", "x/reqs.txt"], ["req.txt", "req/.txt", "req12.txt"]),
        ("v[0-9].txt", ["v1.txt"], ["va.txt", "v12.txt"]),
        ("v[!0-9].txt", ["va.txt"], ["v1.txt", "v/.txt"]),
        ("v[9-0].txt", ["v[9-0].txt"], ["v5.txt"]),
        ("[]x]", ["]", "x"], ["[]x]"]),
        ("a[b", ["a[b"], ["ab"]),
        ("a.b+c(d)", ["a.b+c(d)"], ["aXb+c(d)", "a.bbc(d)"]),
    ],
)
def test_what_a_pattern_names(pattern: str, named: list[str], others: list[str]) -> None:
    is_named = matcher([pattern])
    assert [path for path in named if not is_named(path)] == []
    assert [path for path in others if is_named(path)] == []


def test_several_and_none() -> None:
    assert matcher(["a", "b/c"])("b/c")
    assert not matcher(["a", "b/c"])("c")
    assert not matcher([])("a")
    assert not matcher([])("")


@given(st.text("ab*?", min_size=1), st.text("ab", min_size=1))
def test_a_name_is_matched_as_everywhere(pattern: str, name: str) -> None:
    assert matcher([pattern])(name) == fnmatchcase(name, pattern)


@pytest.mark.timeout(5)
def test_no_name_that_an_agent_chooses_takes_long() -> None:
    assert not matcher(["*a" * 20 + ".py"])("x/" + "a" * 250)
