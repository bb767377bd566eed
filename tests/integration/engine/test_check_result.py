"""Test how results are checked: an attempt cannot bend its checks, and they are compared with the baseline."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.core.model import CheckState, RunState
from mux_lsp.engine.runs.log import LogPiece
from mux_lsp.errors import GitError
from mux_lsp.git.worktrees import SlotState, Worktrees
from tests.integration.engine.conftest import Workshop, ended
from tests.support.home import in_worktrees
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.core.model import Check, Run, Snapshot
    from mux_lsp.engine.engine import Engine
    from mux_lsp.git.worktrees import Worktree

PASSED, FAILED = CheckState.PASSED, CheckState.FAILED
PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -q -p no:cacheprovider"

BROKEN = "def double(x):\n    return x + 1\n"
RIGHT = "printf 'def double(x):\\n    return 2 * x\\n' > app.py"
TEST = """from app import double


def test_double():
    assert double(3) == 6


def test_one():
    assert double(1) == 2
"""


def lay_out(workshop: Workshop, files: dict[str, str]) -> None:
    for path, content in files.items():
        place = workshop.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


@pytest.fixture
def project(workshop: Workshop) -> Workshop:
    """Return a program with a fault, and tests: one of them is about it."""
    lay_out(workshop, {"app.py": BROKEN, "tests/test_app.py": TEST, "conftest.py": ""})
    return workshop


async def judged(engine: Engine, run_id: str) -> Run:
    """Wait until a run has ended and its checks were compared with the baseline, and return it."""
    await ended(engine, run_id)
    return await engine.runs.until(
        run_id, lambda run: all(check.baseline_state is not None for check in (*run.checks, *run.restored_checks))
    )


async def one(workshop: Workshop, agent: str, *checks: str) -> Run:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:{agent}", checks=checks)
        return await judged(engine, task.runs[0].id)


def states(checks: tuple[Check, ...]) -> list[tuple[CheckState, CheckState | None]]:
    return [(check.state, check.baseline_state) for check in checks]


async def test_what_failed_before_is_told_from_what_the_attempt_broke(workshop: Workshop) -> None:
    run = await one(workshop, "echo fixed > new; rm f.txt", "test -f new", "test -f f.txt", "false", "true")
    assert states(run.checks) == [(PASSED, FAILED), (FAILED, PASSED), (FAILED, FAILED), (PASSED, PASSED)]
    assert (run.tampered, run.restored_checks) == ((), ())


async def test_tests_are_counted_and_told_apart_without_a_word_of_configuration(project: Workshop) -> None:
    run = await one(project, RIGHT, PYTEST)
    (check,) = run.checks
    assert check.tests is not None
    assert (check.state, check.baseline_state) == (PASSED, FAILED)
    assert (check.tests.passed, check.tests.failed) == (2, 0)
    assert (check.tests.newly_passing, check.tests.added, check.tests.newly_failing) == (1, 0, 0)
    assert check.tests.names_passing == ("tests.test_app.test_double",)


async def test_what_an_attempt_breaks_is_named(project: Workshop) -> None:
    run = await one(project, "printf 'def double(x):\\n    return 6\\n' > app.py", PYTEST)
    (check,) = run.checks
    assert check.tests is not None
    assert check.tests.names_passing == ("tests.test_app.test_double",)
    assert check.tests.names_failing == ("tests.test_app.test_one",)


FORGER = (
    "import os; open(os.environ['MUX_JUNIT'], 'w').write('<testsuite><testcase name=\"test_double\"/></testsuite>')"
)
"""A program that reports its tests as passed."""

SKIPPER = "'def pytest_collection_modifyitems(items): del items[0]'"
"""A conftest that skips the first test."""

CHEATS = {
    "a test that is made to pass": ("echo 'def test_double(): pass' > tests/test_app.py", ["tests/test_app.py"]),
    "a test that is deleted": ("sed -i '/_double/,/6/d' tests/test_app.py", ["tests/test_app.py"]),
    "all tests that are deleted": (
        "rm -r tests; echo 'def test_mine(): pass' > test_mine.py",
        ["tests/test_app.py"],
    ),
    "a test that is moved out of the way": (
        "mv tests/test_app.py tests/old.txt; echo 'def test_mine(): pass' > tests/test_mine.py",
        ["tests/test_app.py"],
    ),
    "a test that is renamed, and another one": (
        "sed -i s/6/4/ tests/test_app.py; mv tests/test_app.py tests/test_other.py",
        ["tests/test_app.py"],
    ),
    "a test that is a link to another file": (
        "echo 'def test_mine(): pass' > mine.py; ln -sf ../mine.py tests/test_app.py",
        ["tests/test_app.py"],
    ),
    "a link in place of all tests": (
        "mkdir other; echo 'def test_mine(): pass' > other/test_mine.py; rm -r tests; ln -s other tests",
        ["tests/test_app.py"],
    ),
    "a conftest that is new": (
        "echo 'collect_ignore = [\"test_app.py\"]' > tests/conftest.py; echo 'def test_a(): pass' > tests/test_a.py",
        ["tests/conftest.py"],
    ),
    "a conftest that is changed": (
        f"echo {SKIPPER} > conftest.py",
        ["conftest.py"],
    ),
    "a conftest that git is told to ignore": (
        f"echo conftest.py >> .gitignore; echo {SKIPPER} > tests/conftest.py",
        ["tests/conftest.py"],
    ),
    "the same by rules that ignore themselves": (
        f"printf '*\\n' > tests/.gitignore; touch app.py.orig; echo {SKIPPER} > tests/conftest.py",
        ["tests/conftest.py"],
    ),
    "settings that are new": (
        "printf '[tool.pytest.ini_options]\\naddopts = \"-k test_one\"\\n' > pyproject.toml",
        ["pyproject.toml"],
    ),
    "a program of the attempt's own in place of the one that runs tests": (
        f"echo {shlex.quote(FORGER)} > pytest.py",
        ["pytest.py"],
    ),
    "the same as a package": (
        f"mkdir -p pytest; touch pytest/__init__.py; echo {shlex.quote(FORGER)} > pytest/__main__.py",
        ["pytest/__init__.py", "pytest/__main__.py"],
    ),
    "a name in capitals": (
        "echo 'def test_a(): pass' > tests/Test_App.py; cp tests/Test_App.py tests/test_a.py; rm tests/test_app.py",
        ["tests/test_app.py"],
    ),
}  # fmt: skip


async def test_cheating_attempts_are_caught(project: Workshop) -> None:
    async with project.engine() as engine:
        task = await project.start(engine, *[f"sh:{command}" for command, _ in CHEATS.values()], checks=(PYTEST,))
        runs = [await judged(engine, run.id) for run in task.runs]
    # Each passes its own tests, and with those of the snapshot fails as the snapshot does.
    assert [states(run.checks) for run in runs] == [[(PASSED, FAILED)]] * len(runs)
    assert dict(zip(CHEATS, map(list, [run.tampered for run in runs]), strict=True)) == {
        name: meddled for name, (_, meddled) in CHEATS.items()
    }
    assert [states(run.restored_checks) for run in runs] == [[(FAILED, FAILED)]] * len(runs)
    for run in runs:
        (check,) = run.effective_checks
        assert check.tests is not None
        assert (check.tests.newly_passing, check.tests.newly_failing) == (0, 0)


async def test_a_check_that_ends_well_and_says_nothing_of_its_tests_has_failed(project: Workshop) -> None:
    """The program under test ends the test runner before the tests have run."""
    run = await one(project, "printf 'import os\\nos._exit(0)\\n' > app.py", PYTEST)
    assert (run.tampered, run.restored_checks) == ((), ())
    (check,) = run.checks
    assert (check.state, check.baseline_state, check.exit_status, check.tests) == (FAILED, FAILED, 0, None)


async def test_an_honest_attempt_that_works_on_the_tests_too_stands(project: Workshop) -> None:
    edited = (
        f"{RIGHT}; echo 'def test_zero(): pass' >> tests/test_app.py; echo 'def test_new(): pass' > tests/test_new.py"
    )
    run = await one(project, edited, PYTEST)
    assert run.tampered == ("tests/test_app.py",)
    assert states(run.checks) == states(run.restored_checks) == [(PASSED, FAILED)]
    (check,) = run.effective_checks
    assert check.tests is not None
    assert check.tests.names_passing == ("tests.test_app.test_double",)


async def test_new_tests_and_settings_of_other_things_are_no_meddling(project: Workshop) -> None:
    lay_out(project, {"pyproject.toml": '[project]\nname = "a"\n[tool.pytest.ini_options]\naddopts = "-q"\n'})
    own = (
        "echo 'def test_new(): pass' > tests/test_new.py; sed -i 's/= .a.$/= \"b\"/' pyproject.toml; git mv f.txt g.txt"
    )
    run = await one(project, f"{RIGHT}; {own}", PYTEST)
    assert (run.tampered, run.restored_checks) == ((), ())
    (check,) = run.checks
    assert check.tests is not None
    assert (check.tests.newly_passing, check.tests.added) == (2, 1)


async def test_what_a_test_is_a_link_to_is_a_test(workshop: Workshop) -> None:
    lay_out(workshop, {"shared/expected.txt": "6\n", "tests/README": "", "app.txt": "5\n"})
    (workshop.root / "tests" / "expected.txt").symlink_to("../shared/expected.txt")
    run = await one(workshop, "echo 5 > shared/expected.txt", "cmp app.txt tests/expected.txt")
    assert run.tampered == ("shared/expected.txt",)
    assert states(run.restored_checks) == [(FAILED, FAILED)]


async def test_a_script_that_is_the_check_judges(workshop: Workshop) -> None:
    lay_out(workshop, {"ci/go.sh": "exit 1\n"})
    run = await one(workshop, "echo 'exit 0' > ci/go.sh", "sh ci/go.sh", "true")
    assert run.tampered == ("ci/go.sh",)
    assert states(run.checks) == [(PASSED, FAILED), (PASSED, PASSED)]
    assert states(run.effective_checks) == [(FAILED, FAILED), (PASSED, PASSED)]


async def test_a_person_may_say_what_else_judges_and_what_makes_a_tree_ready(workshop: Workshop) -> None:
    workshop.config.write_text(
        f"[[repository]]\npath = '{workshop.root}'\nprotected = ['golden/']\nsetup = ['echo 1 > tool']\n"
    )
    lay_out(workshop, {"golden/a": "6\n", ".gitignore": "tool\n"})
    run = await one(workshop, "cat tool > mine; echo 5 > golden/a", "test -f tool", "grep -q 5 golden/a")
    assert run.tampered == ("golden/a",)
    assert states(run.checks) == [(PASSED, PASSED), (PASSED, FAILED)]
    assert states(run.effective_checks) == [(PASSED, PASSED), (FAILED, FAILED)]
    assert [change.path for change in run.files] == ["golden/a", "mine"]


async def test_restored_checks_that_cannot_be_run_count_as_failed(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(workshop, {"tests/a": "1\n"})

    def gone(*_: object) -> None:
        raise GitError("the disk is full")

    monkeypatch.setattr("mux_lsp.engine.runs.check_result.commit_variant", gone)
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo 2 > tests/a", checks=("true", "true"))
        run = await judged(engine, task.runs[0].id)
        assert [check.state for check in run.effective_checks] == [FAILED, FAILED]
        printed, *_ = await engine.logs.read(run.id, LogPiece("stderr", 0, 1000, 0, "restored"), follow=False)
        assert "the disk is full" in printed


@pytest.fixture
def counted(tmp_path: Path) -> tuple[str, Path]:
    """Return a check that passes and counts its executions, and the file with the count."""
    file = tmp_path / "count"
    file.touch()
    return f"pwd >> {file}", file


def count(file: Path) -> int:
    return len(file.read_text().splitlines())


async def test_a_snapshot_is_checked_once_for_all_runs_and_tasks(workshop: Workshop, counted: tuple[str, Path]) -> None:
    check, file = counted
    async with workshop.engine() as engine:
        for times in (3, 5):
            task = await workshop.start(engine, "sh:echo 1 > a", "sh:echo 2 > a", checks=(check,))
            for run in task.runs:
                assert states((await judged(engine, run.id)).checks) == [(PASSED, PASSED)]
            assert states(engine.registry.task(task.id).baseline) == [(PASSED, None)]
            assert count(file) == times
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo 3 > a", checks=(check,))
        await judged(engine, task.runs[0].id)
        assert count(file) == 6
        # With other files the outcome may differ.
        lay_out(workshop, {"f.txt": "changed\n"})
        task = await workshop.start(engine, "sh:echo 3 > a", checks=(check,))
        await judged(engine, task.runs[0].id)
        assert count(file) == 8
        # The same holds once a run was synced to these.
        lay_out(workshop, {"f.txt": "changed again\n"})
        await engine.tasks.carry_on(task.runs[0].id, "go on", ())
        assert states((await judged(engine, task.runs[0].id)).checks) == [(PASSED, PASSED)]
        assert count(file) == 10


async def test_nobody_waits_for_the_snapshots_checks(workshop: Workshop, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        check = f"test -f new || {{ {arrived.give}; {go.take}; }}"
        async with workshop.engine() as engine:
            task = await workshop.start(engine, "sh:echo > new", checks=(check,))
            run = await ended(engine, task.runs[0].id)
            assert states(run.checks) == [(PASSED, None)]
            assert engine.busy()
            await arrived.happened()
            go.happens()
            assert states((await judged(engine, run.id)).checks) == [(PASSED, PASSED)]
            assert not engine.busy()


async def test_a_check_that_is_cut_off_has_judged_nothing(workshop: Workshop, tmp_path: Path) -> None:
    lay_out(workshop, {"tests/a": "1\n"})
    with signals(tmp_path / "signals", "arrived", "never") as (arrived, never):
        async with workshop.engine() as engine:
            checks = ("true", f"{arrived.give}; {never.take}", "true")
            task = await workshop.start(engine, "sh:echo 2 > tests/a", checks=checks)
            # The snapshot's, the run's own, and those with the test restored.
            await arrived.happened(3)
            await engine.runs.cancel(task.runs[0].id)
            run = await ended(engine, task.runs[0].id)
            assert run.state is RunState.CANCELLED
            for found in (run.checks, run.restored_checks):
                assert [(check.command, check.state) for check in found] == [("true", PASSED)]


async def test_a_cancelled_task_ends_the_checks_of_its_snapshot_too(workshop: Workshop, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "arrived", "never") as (arrived, never):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, f"sh:{never.take}", checks=(f"{arrived.give}; {never.take}",))
            await arrived.happened()
            await engine.runs.cancel(task.runs[0].id)
            await ended(engine, task.runs[0].id)
            await engine.tasks.delete(task.id)
            assert in_worktrees(workshop.state) == []
            assert not engine.busy()
            assert not list((workshop.state / "repos").glob("*/baselines/*"))
            assert {slot.state for slot in engine.repositories.get(workshop.root).worktrees.slots()} == {
                SlotState.RELEASED
            }


async def test_a_daemon_that_is_killed_while_checks_run_leaves_them_to_the_next(
    workshop: Workshop, tmp_path: Path
) -> None:
    lay_out(workshop, {"tests/a": "1\n"})
    with signals(tmp_path / "signals", "arrived", "never") as (arrived, never):
        check = f"echo begun; test -f {tmp_path}/go || {{ {arrived.give}; {never.take}; }}"
        async with workshop.engine() as engine:
            task = await workshop.start(engine, "sh:echo 2 > tests/a", checks=(check,))
            run_id = task.runs[0].id
            # The snapshot's, the run's own, and those with the test restored.
            await arrived.happened(3)
            assert engine.registry.run(run_id).state is RunState.CHECKING
            assert len(in_worktrees(workshop.state)) >= 3
        assert in_worktrees(workshop.state) == []
        (tmp_path / "go").touch()
        async with workshop.engine() as engine:
            run = await judged(engine, run_id)
            assert run.state is RunState.FINISHED
            assert states(run.checks) == states(run.restored_checks) == [(PASSED, PASSED)]
            for on in ("result", "restored", "snapshot"):
                printed, *_ = await engine.logs.read(run_id, LogPiece("stdout", 0, 1000, 0, on), follow=False)
                assert printed == "begun\n"
            assert {slot.state for slot in engine.repositories.get(workshop.root).worktrees.slots()} == {
                SlotState.RELEASED
            }


async def test_no_worktree_is_made_where_nothing_is_restored(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    prepare = Worktrees.prepare

    def noted(self: Worktrees, snapshot: Snapshot, run_id: str, **more: Any) -> Worktree:
        made.append(run_id)
        return prepare(self, snapshot, run_id, **more)

    monkeypatch.setattr(Worktrees, "prepare", noted)
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo 1 > a", "sh:echo 2 > a", checks=("true",))
        for run in task.runs:
            await judged(engine, run.id)
        assert sorted(made) == sorted([*(run.id for run in task.runs), f"baseline.{task.id}"])


async def test_checks_find_where_to_report_to(workshop: Workshop) -> None:
    report = "<testsuite><testcase name='a'/><testcase name='b'><failure/></testcase></testsuite>"
    run = await one(
        workshop,
        "touch a",
        f'test -f a && echo "{report}" > "$MUX_JUNIT"',
        "mkfifo $MUX_JUNIT",
        "echo '<a' > $MUX_JUNIT",
    )
    assert [check.tests and (check.tests.passed, check.tests.failed) for check in run.checks] == [(1, 1), None, None]


async def test_a_check_that_takes_too_long_has_failed(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[runs]\ncheck_timeout_seconds = 0.5\ngrace_seconds = 0.1\n")
    with signals(tmp_path / "signals", "never") as (never,):
        run = await one(workshop, "true", never.take, "true")
    assert states(run.checks) == [(FAILED, FAILED), (PASSED, PASSED)]
    assert in_worktrees(workshop.state) == []
