"""Test which files are protected, and how an attempt's changes to them are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core import tampering
from mux_lsp.core.model import ChangeKind, FileChange
from mux_lsp.core.patterns import matcher
from mux_lsp.core.tampering import Tampering, find_tampering, protected_files

KINDS = {"A": ChangeKind.ADDED, "M": ChangeKind.MODIFIED, "D": ChangeKind.DELETED, "R": ChangeKind.RENAMED,
         "C": ChangeKind.COPIED}  # fmt: skip


KNOWN_PATTERNS = Path(__file__).with_name("known_patterns.txt")
"""Each known pattern, with a path that it matches."""


def change(text: str) -> FileChange:
    """Return a change, given as `M path` or `R old new`."""
    letter, *paths = text.split()
    old = paths[0] if letter in "RC" else None
    return FileChange(paths[-1], KINDS[letter], 0o100644, 0o100644, "a", "b", old_path=old)


def done(*changes: str, commands: tuple[str, ...] = ("pytest -q",), folder: str = "", protected: tuple[str, ...] = (),
         links: dict[str, str] | None = None, same: bool = True) -> Tampering:  # fmt: skip
    by = protected_files(commands, folder, protected, links)
    return find_tampering(map(change, changes), by, lambda _: same)


@pytest.mark.parametrize(
    "path",
    [
        "test_a.py", "a/b/test_a.py", "a_test.py", "tests.py", "tests/data/in.json", "a/tests/helper.py",
        "src/sum.test.ts", "src/sum.spec.jsx", "pkg/x_test.go", "spec/a_spec.rb", "src/test/java/ATest.java",
        "src/main/TestThing.kt",
        "a/__snapshots__/x.snap", "Tests/A.cs", "lib/ThingTests.swift", "TEST_A.PY", "tests",
        "conftest.py", "a/Conftest.py", "pytest.ini", "tox.ini", ".coveragerc", "Makefile", "a/makefile", "build/x.mk",
        "jest.config.mjs", "vitest.config.ts", ".eslintrc.json", "tsconfig.json", "tsconfig.test.json", ".mocharc.yml",
        ".cargo/config.toml", "sitecustomize.py", "ruff.toml", "mypy.ini",
    ],
)  # fmt: skip
def test_what_judges_may_not_be_changed(path: str) -> None:
    assert done(f"M {path}") == Tampering((path,), (path,))
    assert done(f"D {path}") == Tampering((path,), (path,))
    assert done(f"R {path} elsewhere.txt") == Tampering((path,), (path,), ("elsewhere.txt",))


@pytest.mark.parametrize(
    "path",
    ["app.py", "src/latest.py", "contest.py", "src/Latest.java", "src/Edit.java", "src/Unit.kt", "attest/a.py",
     "a.mkd", "testing.md", "src/protest.go", "specification.md", "greatest.js", "README.md",
     "docs/tox.ini.md", "src/inspect.rb"],
)  # fmt: skip
def test_what_does_not_judge_may_be_changed(path: str) -> None:
    assert done(f"M {path}", f"A {path}x", f"D {path}y", f"R old {path}z") == tampering.NO_TAMPERING


def test_every_known_pattern_has_a_path_that_it_protects() -> None:
    known = [line.split() for line in KNOWN_PATTERNS.read_text(encoding="utf-8").splitlines()]
    assert [pattern for pattern, _ in known] == [*tampering.TESTS, *tampering.SETTINGS]
    for pattern, path in known:
        assert matcher((pattern,))(path), pattern
        assert done(f"M {path}") == Tampering((path,), (path,)), pattern


def test_new_tests_do_no_harm_and_go_where_the_judges_are_restored() -> None:
    assert (
        done("A tests/test_new.py", "C app.py tests/test_copy.py", "R app.py tests/test_moved.py")
        == tampering.NO_TAMPERING
    )
    both = done("A tests/test_new.py", "R app.py tests/test_moved.py", "M tests/test_a.py", "M app.py")
    assert both == Tampering(("tests/test_a.py",), ("tests/test_a.py",), ("tests/test_moved.py", "tests/test_new.py"))


def test_configuration_may_not_be_new_either() -> None:
    assert done("A conftest.py", "C x.py a/conftest.py") == Tampering(
        ("a/conftest.py", "conftest.py"), (), ("a/conftest.py", "conftest.py")
    )
    # A renamed source file acts as configuration now: both paths are restored.
    assert done("R app.py conftest.py") == Tampering(("conftest.py",), ("app.py",), ("conftest.py",))


def test_a_path_that_is_restored_is_not_removed() -> None:
    # Two tests were swapped.
    swapped = done("R tests/a.py tests/b.py", "R tests/b.py tests/a.py")
    assert swapped == Tampering(("tests/a.py", "tests/b.py"), ("tests/a.py", "tests/b.py"), ())


@pytest.mark.parametrize("name", ["pyproject.toml", "a/package.json", "setup.cfg", "Cargo.toml", "PyProject.toml"])
def test_a_file_that_is_configuration_in_part_counts_where_that_part_is_changed(name: str) -> None:
    assert done(f"M {name}", same=True) == done(f"A {name}", same=True) == tampering.NO_TAMPERING
    assert done(f"M {name}", same=False) == Tampering((name,), (name,))
    assert done(f"A {name}", same=False) == Tampering((name,), (), (name,))
    assert done(f"R {name} b.toml", same=True) == Tampering((name,), (name,), ("b.toml",))


def test_a_person_may_protect_more() -> None:
    protected = ("golden/", "/ci/*.yml", "*.expected")
    for path in ("golden/a", "x/golden/b", "ci/all.yml", "deep/x.expected", "CI/all.YML"):
        assert done(f"M {path}", protected=protected).files == (path,)
        assert done(f"A {path}", protected=protected).remove == (path,)
    assert done("M x/ci/all.yml", "M ci/deep/all.yml", "M golden.txt", protected=protected) == tampering.NO_TAMPERING


@pytest.mark.parametrize(
    ("links", "path", "found"),
    [
        ({"tests/data": "../shared"}, "shared/a/b", True),
        ({"tests/data": "../shared"}, "shared", True),
        ({"tests/data": "../shared"}, "sharedx", False),
        ({"tests": "src/checks"}, "src/checks/x.py", True),
        ({"a/conftest.py": "../base.py"}, "base.py", True),
        ({"docs/data": "../shared"}, "shared/a", False),
        ({"tests/all": ".."}, "app.py", False),
        ({"tests/out": "../../elsewhere"}, "elsewhere", False),
        ({"tests/abs": "/app.py"}, "app.py", False),
    ],
)  # fmt: skip
def test_what_a_test_of_the_snapshot_is_a_link_to_is_one(links: dict[str, str], path: str, found: bool) -> None:
    assert bool(done(f"M {path}", links=links).files) is found


@pytest.mark.parametrize(
    ("command", "folder", "named"),
    [
        ("sh go.sh", "", "go.sh"), ("bash -e ./scripts/go", "", "scripts/go"), ("./ci/check -v", "", "ci/check"),
        ("python3.11 tools/verify_all.py -x", "", "tools/verify_all.py"),
        ("node scripts/my-test.js", "", "scripts/my-test.js"),
        ("cd sub && ./run_tests.sh", "", "sub/run_tests.sh"), ("sh ../go.sh", "a/b", "a/go.sh"),
        ("sh go.sh", "web", "web/go.sh"),
        ("timeout 5m env A=1 sh -x go.sh | tee log", "", "go.sh"), ("A=1 ./lint.sh", "", "lint.sh"),
        ("pytest -c other.ini", "", "other.ini"), ("python -m pytest -c other.ini", "", "other.ini"),
        ("pytest --config-file=other.ini", "", "other.ini"), ("ruff check --config ci/r.toml src", "", "ci/r.toml"),
        ("python3 -m pytest -q", "", "pytest.py"), ("cd a && python -X dev -m unittest", "", "a/unittest/__main__.py"),
        ("python -m shop.self_test", "", "shop/self_test.py"), ("uv run python -m mypy .", "", "mypy/__init__.py"),
        ("make -f build.txt test", "", "build.txt"), ("if true; then sh 'my go.sh'; fi", "", "my go.sh"),
    ],
)  # fmt: skip
def test_what_a_check_starts_judges(command: str, folder: str, named: str) -> None:
    by = protected_files((command,), folder)
    assert by.is_setting(named)
    assert not by.is_setting("app.py")


@pytest.mark.parametrize(
    "command",
    ["python app.py", "node app.py --test", "grep -q fixed app.py", "test -f app.py", "[ -f app.py ]",
     "cmp app.py other", "./app.py", "python -c 'import test' app.py", "python -m app",
     "python -m", "sh -c 'cat app.py'", "ruff check app.py",
     "mypy app.py", "cat < app.py",
     "grep -c x app.py", "sort -c app.py", "unterminated 'app.py", "", "sh", "python", "env"],
)  # fmt: skip
def test_what_a_check_looks_at_does_not_judge(command: str) -> None:
    assert not protected_files((command,), "").is_setting("app.py")


paths = st.sampled_from(
    ["app.py", "tests/a.py", "tests/b.py", "conftest.py", "pyproject.toml", "src/x.py", "Tests/a.py"]
)
lines = st.one_of(
    st.tuples(st.sampled_from("AMD"), paths).map(" ".join),
    st.tuples(st.sampled_from("RC"), paths, paths).filter(lambda one: one[1] != one[2]).map(" ".join),
)


@given(st.lists(lines, unique_by=lambda line: line.split()[-1]), st.booleans())
def test_after_restoring_nothing_of_the_judges_is_left_changed(changes: list[str], same: bool) -> None:
    by = protected_files(("pytest",), "")
    found = find_tampering(map(change, changes), by, lambda _: same)
    assert not {*found.restore} & {*found.remove}
    if not found.files:
        assert not found.restore
        assert not found.remove
        return
    for one in map(change, changes):
        new = one.kind in {ChangeKind.ADDED, ChangeKind.COPIED}
        if by.is_test(one.base_path) or by.is_setting(one.base_path):
            assert one.base_path in (found.remove if new and one.path not in found.restore else found.restore)
        if (by.is_test(one.path) or by.is_setting(one.path)) and one.path not in found.restore:
            assert one.path in found.remove
