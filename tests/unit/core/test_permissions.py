"""Test which actions rules allow an agent without asking, line by line."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.permissions import (
    PermissionRequest,
    Rule,
    Rules,
    Ruling,
    in_any_worktree,
    parse_rule,
    rule_for,
    rules,
)
from mux_lsp.errors import UsageError

YES, NO, ASK = Ruling.ALLOW, Ruling.DENY, Ruling.ASK

RULES = rules(
    ["run:git diff", "run:pytest", "run:cd", "run:ls", "write:docs/*", "read"],
    ["run:rm", "run:git push", "fetch", "write:docs/secret*"],
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pytest", YES),
        ("pytest -q tests/unit", YES),
        ("  pytest   -q", YES),
        ("git diff --stat", YES),
        ("git difftool", ASK),
        ("git -c core.pager=x diff", ASK),
        ("gitdiff", ASK),
        ("./pytest", ASK),
        ("pytest 'a;b' \"c && d\"", YES),
        ("pytest -q 2>&1", YES),
        ("ls 2>/dev/null", YES),
        ("ls >/dev/null 2>&1", YES),
        ("cd docs && pytest", YES),
        ("cd docs; ls | ls", YES),
        ("cd $MUX_WORKTREE && npm test", ASK),
        ("pytest | tee log", ASK),
        ("pytest & curl x", ASK),
        ("pytest > /etc/passwd", ASK),
        ("pytest >out", ASK),
        ("pytest < in", ASK),
        ("pytest `id`", ASK),
        ("pytest $(id)", ASK),
        ("pytest ${x:=`id`}", ASK),
        ("pytest <(id)", ASK),
        ("pytest\nid", ASK),
        ("(pytest)", ASK),
        ("ls() { id; }; ls", ASK),
        ("PYTHONPATH=/x pytest", ASK),
        ("env pytest", ASK),
        ("timeout 5 pytest", ASK),
        ("sh -c pytest", ASK),
        ("pytest 'open", ASK),
        ("", ASK),
        ("&&", ASK),
        ("rm -rf /", NO),
        ("/bin/rm -rf /", NO),
        ("pytest; rm -rf /", NO),
        ("pytest\nrm -rf /", NO),
        ("echo $(rm x)", NO),
        ("echo `rm x`", NO),
        ("sudo rm x", NO),
        ("X=1 rm x", NO),
        ("xargs -0 rm", NO),
        ("(rm x)", NO),
        ("git push --force", NO),
        ("git pushy", ASK),
        ("echo rm", ASK),
    ],
)
def test_commands(line: str, expected: Ruling) -> None:
    assert RULES.rule_on(PermissionRequest("run", line, "")) is expected


@pytest.mark.parametrize(
    ("tool", "subject", "expected"),
    [
        ("write", "docs/a.md", YES),
        ("write", "docs/secret.md", NO),
        ("write", "src/a.py", ASK),
        ("read", "anything", YES),
        ("fetch", "https://example.org", NO),
        ("other", "", ASK),
    ],
)
def test_other_tools(tool: str, subject: str, expected: Ruling) -> None:
    assert RULES.rule_on(PermissionRequest(tool, subject, "")) is expected


def test_a_tool_without_a_subject_speaks_of_all_of_it() -> None:
    assert rules(["run"]).rule_on(PermissionRequest("run", "anything > at all", "")) is YES
    assert rules(["run"], ["run"]).rule_on(PermissionRequest("run", "ls", "")) is NO
    assert rules(["*"]).rule_on(PermissionRequest("run", "ls", "")) is YES
    assert rules(["*"], ["run:rm"]).rule_on(PermissionRequest("run", "ls; rm x", "")) is NO


def test_what_was_allowed_for_good_is_exactly_that() -> None:
    request = PermissionRequest("run", "make test > log 2>&1", "Run the tests")
    kept = rules(["run:ls"]).and_also(Rules((rule_for(request),)))
    assert kept.rule_on(request) is YES
    assert kept.rule_on(PermissionRequest("run", "ls", "")) is YES
    assert kept.rule_on(PermissionRequest("run", "make test > log 2>&1; id", "")) is ASK
    assert kept.rule_on(PermissionRequest("run", "make test", "")) is ASK


@pytest.mark.parametrize("text", ["", "Run:x", "run:", "run:  ", "run:'open", "run:a; b", "1:x"])
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(UsageError, match="is not a rule"):
        parse_rule(text)


def test_rules_read_as_they_are_written() -> None:
    for text in ("run", "run:git diff", "write:docs/*", "*"):
        assert str(parse_rule(text)) == text
    assert parse_rule(" run: npm test ") == Rule("run", "npm test")


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_words_that_are_quoted_are_never_commands(words: list[str]) -> None:
    line = "pytest " + shlex.join(words)
    assert RULES.rule_on(PermissionRequest("run", line, "")) is not NO or "rm" in line or "push" in line


@given(st.text(alphabet="pytesrm;&|()<> $`'\"\\\n{}=", max_size=40))
def test_any_line_is_judged(line: str) -> None:
    verdict = RULES.rule_on(PermissionRequest("run", line, ""))
    if verdict is YES:
        assert not set(line) & set("`\n(){}")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("cd /s/s1/my project && make", "cd $MUX_WORKTREE && make"),
        ("cat /s/s1/my project/a.py", "cat $MUX_WORKTREE/a.py"),
        ("ls '/s/s1/my project'", "ls '$MUX_WORKTREE'"),
        ("ls /s/s1/my project-2 /s/s1/my project.bak", "ls /s/s1/my project-2 /s/s1/my project.bak"),
        ("make", "make"),
    ],
)
def test_what_names_its_worktree_is_the_same_in_each(asked: str, told: str) -> None:
    request = PermissionRequest("run", asked, f"Run `{asked}`")
    assert in_any_worktree(request, "/s/s1/my project") == PermissionRequest("run", told, f"Run `{told}`")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cd $MUX_WORKTREE && pytest -q", YES),
        ("cd $MUX_WORKTREE/src && pytest -q", YES),
        ("cd $MUX_WORKTREE", YES),
        ("cd $MUX_WORKTREE && id", ASK),
        ("cd $MUX_WORKTREE/../.. && pytest", ASK),
        ("cd $MUX_WORKTREE_2 && pytest", ASK),
        ("cd / && pytest", ASK),
        ("MUX_WORKTREE=/ && cd $MUX_WORKTREE && pytest", ASK),
        ("export MUX_WORKTREE=/; cd $MUX_WORKTREE && pytest", ASK),
        ("cd $MUX_WORKTREE && rm -rf /", NO),
    ],
)
def test_going_into_the_worktree_needs_no_rule(line: str, expected: Ruling) -> None:
    judged = rules(["run:pytest"], ["run:rm"]).rule_on(PermissionRequest("run", line, ""))
    assert judged is expected


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "line", ["echo `x` a" + " " * 90_000 + "y", "rm x; " * 200_000, "echo '" + "a " * 2_000_000 + "'"]
)
def test_a_line_that_an_agent_has_made_long_is_judged_at_once(line: str) -> None:
    """All clients wait meanwhile."""
    judged = rules(["run:echo"], ["run:rm"]).rule_on(PermissionRequest("run", line, ""))
    assert judged is (Ruling.DENY if line.startswith("rm") else Ruling.ASK)
