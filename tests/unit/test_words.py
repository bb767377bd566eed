"""Test that the check of words finds each pattern of its list where it applies, and nowhere else."""

from __future__ import annotations

import pytest

from tests.support import words

PATTERNS = words.patterns(words.PATTERNS.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        ("a.py", '"""What it does."""\n', [(1, "What")]),
        ("a.py", '"""Do it.\n\nWhat it does not do.\n"""\n', []),
        ("a.py", 'def f():\n    """Whether it is."""\n', [(2, "Whether")]),
        ("a.py", 'LIMIT = 3\n"""So many."""\n', [(2, "So many"), (2, "So many")]),
        ("a.py", "# It was told\nx = 1  # at the most\n", [(1, "told"), (2, "at the most")]),
        ("a.py", 'raise E("nobody\\nwas told")\n', [(2, "told")]),
        ("a.py", "told = 'told'\n", []),
        ("a.py", "# It is None, and there is none.\n", [(1, "is none")]),
        ("a.lua", "--- What it does.\n--- How it does it.\nlocal told = 1\n", [(1, "What")]),
        ("a.ts", "/** Which one. */\nconst told = 1; \n// told\n", [(1, "Which"), (3, "told")]),
        ("a.md", "Fine.\nOne, of which\n", [(2, "of which")]),
        ("a.json", "told", []),
    ],
)
def test_patterns_are_found_where_they_count(path: str, content: str, found: list[tuple[int, str]]) -> None:
    assert [(one.line, one.words) for one in words.check(path, content, PATTERNS)] == found


def test_a_line_that_is_no_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match=r"words\.txt: 'never What' is no pattern"):
        words.patterns(["# a comment", "", "never What"])


def test_a_finding_names_the_place_and_the_advice() -> None:
    (one,) = words.check("a.py", "# told\n", PATTERNS)
    assert str(one) == "a.py:1: 'told': reported, notified, passed, said"
