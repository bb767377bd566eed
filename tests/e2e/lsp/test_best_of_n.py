"""Test ten runs of two agents in an editor: reviewed while some still work, ranked, verified, and one picked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.lsp import protocol
from tests.e2e.lsp.connecting import connect, quit_politely
from tests.support.person import make_repository
from tests.support.signals import signals

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome

PAGES = "def page_count(entries):\n    return entries // 20\n"
TESTS = """from pages import page_count


def test_the_rest_has_a_page():
    assert page_count(41) == 3


def test_full_pages():
    assert page_count(40) == 2
"""
FIX = "sed -i 's|return entries // 20|return -(-entries // 20)|' pages.py"
CHECK = "pytest -q -p no:cacheprovider"


async def test_the_best_of_ten(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(
        tmp_path / "project", {"pages.py": PAGES, "test_pages.py": TESTS, ".gitignore": "__pycache__/\n"}
    ).resolve()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = type(mux_home)(mux_home.folder, {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
    with signals(tmp_path / "signals", "go") as (go,):
        agents = {
            "A": FIX,
            # Three of these five are wrong, and the last one takes its time.
            "B": f"case $MUX_RUN in *-10) {go.take};; *-[68]) {FIX};; esac; echo '# by B' >> pages.py",
        }
        home.write_config(
            "".join(f'[agents.{name}]\nkind = "command"\ncommand = """{run}"""\n' for name, run in agents.items())
        )
        editor = await connect(home, root)
        editor.open("pages.py")
        asked = [{"agent": name, "count": 5} for name in agents]
        task = (
            await editor.command("mux.task.start", protocol.TaskResult, prompt="Mend it", agents=asked, checks=[CHECK])
        ).task
        assert [run.agent for run in task.runs] == ["A"] * 5 + ["B"] * 5
        for run in task.runs[:9]:
            await editor.ended(run.id)

        # Nine can be compared and accepted while the tenth is at work.
        early = await editor.command("mux.task.compare", protocol.TaskCompareResult, task=task.id)
        assert early.task.state == "running"
        assert {one.run for one in early.ranking} == {run.id for run in task.runs[:9]}
        assert early.ranking[0].run == f"{task.id}-1"
        assert await editor.statuses("pages.py", run=f"{task.id}-1") == ["pending"]
        await editor.accept("run", run=f"{task.id}-1")
        assert "-(-entries // 20)" in editor.text("pages.py")
        editor.undo()
        assert editor.text("pages.py") == PAGES
        go.happens()
        task = await editor.ended(task.id)

    compared = await editor.command("mux.task.compare", protocol.TaskCompareResult, task=task.id)
    assert [(one.run, one.rank, one.grade) for one in compared.ranking] == [
        *((f"{task.id}-{number}", 1, "passes") for number in (1, 2, 3, 4, 5)),
        *((f"{task.id}-{number}", 6, "passes") for number in (6, 8)),
        *((f"{task.id}-{number}", 8, "as_before") for number in (7, 9, 10)),
    ]
    why = {one.run: " ".join(one.reasons) for one in compared.ranking}
    fixed = "Passes the check. 1 test passes that failed before: test_pages.test_the_rest_has_a_page."
    assert fixed in why[early.ranking[0].run]
    assert "Has the same result as" in why[f"{task.id}-1"]
    assert f"Fails `{CHECK}`, as the snapshot does." in why[f"{task.id}-10"]

    best = compared.ranking[0].run
    verdict = (await editor.command("mux.verify", protocol.VerifyResult, run=best)).verdict
    assert (verdict.passed, verdict.run) == (True, best)
    assert not (await editor.command("mux.verify", protocol.VerifyResult)).verdict.passed, "without it they fail"
    assert (root / "pages.py").read_text() == PAGES
    picked = await editor.command("mux.run.pick", protocol.PickResult, run=best)
    assert (picked.accepted, len(picked.discarded)) == (1, 9)
    assert "-(-entries // 20)" in editor.text("pages.py")
    assert (await editor.command("mux.verify", protocol.VerifyResult)).verdict.passed, "in the buffer, not saved yet"
    editor.undo()
    assert editor.text("pages.py") == PAGES
    await quit_politely(editor)
