"""Test ten attempts of known merit: their order with reasons, and the tampering that checks detect."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.cli.terminal import Terminal
from tests.support.person import fingerprint, make_repository
from tests.support.replaying import agent, call, replaying, turn

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome

PAGES = '''"""Pages of a long list."""


def page_count(entries: int) -> int:
    return entries // 20


def page_title(number: int) -> str:
    return f"page {number}"
'''
OTHER = '"""Something else."""\n\n\ndef shout(text: str) -> str:\n    return text.upper()\n'
TESTS = """from other import shout
from pages import page_count, page_title


def test_the_rest_has_a_page():
    assert page_count(41) == 3


def test_full_pages():
    assert page_count(40) == 2


def test_titles():
    assert page_title(3) == "page 3"


def test_shout():
    assert shout("a") == "A"


def test_that_nobody_has_repaired():
    assert shout("a") == "b"
"""
FIX = r"sed -i 's|return entries // 20|return -(-entries // 20)|' pages.py"
CHECK = "python -m pytest -q -p no:cacheprovider --deselect test_pages.py::test_that_nobody_has_repaired"

ATTEMPTS = {
    "right": FIX,
    "equal": f"true; {FIX}",
    "sprawling": f"{FIX}; printf '\\n\\ndef more() -> None:\\n    pass\\n' >> other.py; seq 40 > NOTES.txt",
    "breaking": f"{FIX}; sed -i 's|text.upper|text.lower|' other.py",
    "wrong": "sed -i 's|// 20|// 20 + 1|' pages.py",
    "cheat": "sed -i 's|page_count(41) == 3|page_count(41) == 2|' test_pages.py",
    "crashed": "sed -i 's|return entries|return  entries|' pages.py; exit 3",
    "hung": "printf 'begun\\n' > begun.txt; exec sleep 1000",
    "empty": "true",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_repository(
        tmp_path / "project",
        {"pages.py": PAGES, "other.py": OTHER, "test_pages.py": TESTS, ".gitignore": "__pycache__/\n"},
    )


@pytest.fixture
def terminal(home: IsolatedHome, project: Path) -> Terminal:
    """Return a terminal whose `python` is the one that has pytest."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Terminal(type(home)(home.folder, {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}), project)


def by_name(task: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the task's runs by the names of this module."""
    names = {f"sh:{command}": name for name, command in ATTEMPTS.items()} | {"built": "over budget"}
    return {names[run["agent"]]: run for run in task["runs"]}


def test_a_field_of_ten(terminal: Terminal, tmp_path: Path) -> None:
    spends = turn(
        call("write_file", path="half.txt", content="half\n"),
        more="usage = { input = 1000000, output = 1000 }",
    )
    with replaying(tmp_path, spends, spends) as url:
        terminal.home.write_config("[limits]\nrun_seconds = 20\n" + agent(url, more="max_cost_usd = 0.01"))
        choices = [word for command in ATTEMPTS.values() for word in ("-a", f"sh:{command}")]
        task = terminal.run("Make the rest have a page.", *choices, "-a", "built", "--check", CHECK)
    runs = by_name(task)
    assert [(check["command"], check["state"]) for check in task["baseline"]] == [(CHECK, "failed")]
    order = sorted(runs, key=lambda name: runs[name]["rank"])
    assert (runs["right"]["rank"], runs["equal"]["rank"], runs["sprawling"]["rank"]) == (1, 1, 3)
    assert runs["right"]["tied"] == [runs["equal"]["id"]]
    assert order[3:6] == ["breaking", "wrong", "cheat"], order
    # Only size and time distinguish these three.
    assert (set(order[6:9]), order[9]) == ({"crashed", "hung", "over budget"}, "empty"), order

    said = {name: " ".join(run["reasons"]) for name, run in runs.items()}
    for name, words in {
        "right": [
            "Passes the check. 1 test passes that failed before: test_pages.test_the_rest_has_a_page.",
            f"Has the same result as {runs['equal']['id']}.",
            f"As good as {runs['equal']['id']}.",
        ],
        "equal": ["Passes the check.", f"Has the same result as {runs['right']['id']}."],
        "sprawling": ["Passes the check.", "NOTES.txt", f"Behind {runs['right']['id']} for ", "a larger change"],
        "breaking": [
            "as the snapshot does.",
            "Breaks 1 test: test_pages.test_shout.",
            "1 test passes that failed before",
        ],
        "wrong": ["as the snapshot does.", "Breaks 1 test: test_pages.test_full_pages."],
        "cheat": ["Passes only with its own version of test_pages.py. With test_pages.py as before it fails "],
        "crashed": ["Did not finish (failed: ", "exit status 3"],
        "hung": ["Did not finish (cancelled: it was not done after 20 s (run_seconds under [limits]))."],
        "over budget": ["Did not finish (", "budget"],
        "empty": ["Changed nothing."],
    }.items():
        for word in words:
            assert word in said[name], (name, said[name])
    assert runs["cheat"]["tampered"] == ["test_pages.py"]
    assert [check["state"] for check in runs["cheat"]["checks"]] == ["passed"]
    assert [check["state"] for check in runs["cheat"]["restored_checks"]] == ["failed"]
    assert [file["path"] for file in runs["over budget"]["files"]] == ["half.txt"]
    assert [file["path"] for file in runs["hung"]["files"]] == ["begun.txt"]

    shown = terminal.ok("show", task["id"])
    assert shown.index(runs["right"]["id"]) < shown.index(runs["sprawling"]["id"]) < shown.index(runs["cheat"]["id"])
    best = runs["right"]["id"]
    assert terminal("verify", best, "--check", CHECK).status == 0
    assert (terminal.folder / "pages.py").read_text() == PAGES
    terminal.ok("accept", best)
    assert terminal("verify", "--check", CHECK).status == 0


def test_ten_runs_of_two_agents(terminal: Terminal) -> None:
    """This is the whole workflow as a person types it, with the printed output."""
    terminal.home.write_config(
        "".join(
            f'[agents.{name}]\nkind = "command"\ncommand = """{command}"""\n'
            for name, command in (("A", FIX), ("B", f"{ATTEMPTS['wrong']}; echo '# by B' >> other.py"))
        )
    )
    before = fingerprint(terminal.folder / ".git")
    check = "pytest -q -p no:cacheprovider"
    said = terminal.ok("run", "Make the rest have a page.", "-a", "A*5", "-a", "B*5", "--check", CHECK)
    task = terminal.json("list")["tasks"][0]
    best, *others = [f"{task['id']}-{number}" for number in range(1, 11)]
    assert f"{task['id']} started with 10 runs." in said
    why = said.partition("\nWhy:\n")[2].partition("\nNext:\n")[0].splitlines()
    assert [line.split()[:2] for line in why] == [
        *(["1=", run] for run in (best, *others[:4])),
        *(["6=", run] for run in others[4:]),
    ]
    assert "Passes the check. 1 test passes that failed before: test_pages.test_the_rest_has_a_page." in why[0]
    assert "Breaks 1 test: test_pages.test_full_pages." in why[9]
    assert f"  mux-lsp accept {best} " in said
    compared = terminal.ok("compare", task["id"]).partition("\nWhy:\n")[2]
    assert compared.startswith(f"{why[0]}\n")
    assert f"Your files with {best}: passed, in " in terminal.ok("verify", best)
    assert terminal("verify").status == 1
    assert (terminal.folder / "pages.py").read_text() == PAGES
    assert terminal.ok("accept", best) == "Accepted 1 change in pages.py.\n"
    assert "Your files as they are: passed, in " in terminal.ok("verify")
    assert terminal("verify", "--check", check).status == 1, "one that nobody has repaired"
    assert fingerprint(terminal.folder / ".git") == before


def test_what_failed_before_is_not_blamed(terminal: Terminal) -> None:
    """The test suite fails before and after, because of a test that no run has repaired."""
    check = "python -m pytest -q -p no:cacheprovider"
    choices = ["-a", f"sh:{FIX}", "-a", f"sh:{ATTEMPTS['breaking']}"]
    task = terminal.run("Make the rest have a page.", *choices, "--check", check)
    right, breaking = task["runs"]
    [before], [after] = task["baseline"], right["checks"]
    assert (before["state"], after["state"], after["baseline_state"]) == ("failed", "failed", "failed")
    assert (before["tests"]["passed"], before["tests"]["failed"]) == (3, 2)
    assert (after["tests"]["newly_passing"], after["tests"]["newly_failing"]) == (1, 0)
    assert after["tests"]["names_passing"][0].endswith("test_the_rest_has_a_page")
    assert breaking["checks"][0]["tests"]["names_failing"][0].endswith("test_shout")
    assert (right["rank"], breaking["rank"]) == (1, 2)
    assert "test_that_nobody_has_repaired" not in " ".join(right["reasons"])
