"""Test the set-up of worktrees, with real commands over real git."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp.core.model import Run, RunState
from mux_lsp.engine.repository.setup import setup_folder
from mux_lsp.git import artifacts
from tests.integration.engine.conftest import Workshop, ended
from tests.support.person import git
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.engine import Engine

READ = "cat env/lib/tool made.txt > got.txt; ls -A > names.txt"


class Site:
    """A workshop whose repository has a lock file and a set-up."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.count = workshop.state.parent / "count"
        self.write({"app.lock": "1\n", ".gitignore": "env/\nnotes/\n", "src/app.py": "value = 1\n"})

    def write(self, files: dict[str, str]) -> None:
        for path, content in files.items():
            (self.workshop.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.workshop.root / path).write_text(content)

    def configure(self, *commands: str, inputs: tuple[str, ...] = ("*.lock",), runs: str = "") -> None:
        """Write the person's settings with a set-up of these commands."""
        self.workshop.config.write_text(
            f"[runs]\ngrace_seconds = 0.2\n{runs}\n[[repository]]\npath = {json.dumps(str(self.workshop.root))}\n"
            f"setup = {json.dumps([f'echo x >> {self.count}', *commands])}\nsetup_inputs = {json.dumps(inputs)}\n"
        )

    @property
    def times(self) -> int:
        """The number of times that the set-up has begun."""
        return len(self.count.read_text()) // 2 if self.count.exists() else 0

    async def has(self, engine: Engine, run: Run, path: str) -> str | None:
        """Wait until a run has ended, and return a file of its result."""
        done = await ended(engine, run.id)
        assert done.result is not None, done
        content = engine.repositories.get(self.workshop.root).shadow.read_at(done.result, path)
        return None if content is None else content.decode()

    async def outcome(self, engine: Engine, command: str) -> tuple[Run, dict[str, str]]:
        """Run a command as a run's agent. Return the ended run, and the texts of the files that it changed."""
        task = await self.workshop.start(engine, f"sh:{command}")
        run = await ended(engine, task.runs[0].id)
        return run, {change.path: str(await self.has(engine, run, change.path)) for change in run.files}


MAKE = ("mkdir -p env/lib", "echo tool > env/lib/tool", "echo made > made.txt")


@pytest.fixture
def site(workshop: Workshop) -> Site:
    return Site(workshop)


async def test_it_runs_once_for_all_runs_of_all_tasks_and_again_when_a_lock_file_has_changed(site: Site) -> None:
    site.configure(*MAKE)
    async with site.workshop.engine() as engine:
        tasks = await asyncio.gather(*(site.workshop.start(engine, *[f"sh:{READ}"] * 5) for _ in range(2)))
        for task in tasks:
            for run in task.runs:
                assert await site.has(engine, run, "got.txt") == "tool\nmade\n"
        assert site.times == 1
        site.write({"src/app.py": "value = 2\n"})
        await site.outcome(engine, READ)
        assert site.times == 1
        site.write({"app.lock": "2\n"})
        await site.outcome(engine, READ)
        assert site.times == 2
        site.configure(*MAKE, "true")
        await site.outcome(engine, READ)
        assert site.times == 3
    async with site.workshop.engine() as engine:
        await site.outcome(engine, READ)
        assert site.times == 3


async def test_keys_are_for_agents_alone(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This includes variables that the configuration names: neither set-ups nor checks see them."""
    for name in ("ANTHROPIC_API_KEY", "OUR_GATEWAY"):
        monkeypatch.setenv(name, "canary")
    seen = tmp_path / "seen"
    site.configure(f"env >> {seen}")
    with site.workshop.config.open("a") as config:
        config.write('[agents.ours]\nkind = "anthropic"\napi_key_env = "OUR_GATEWAY"\n')
    async with site.workshop.engine() as engine:
        task = await site.workshop.start(engine, "sh:echo x > x.txt", checks=(f"env >> {seen}",))
        await ended(engine, task.runs[0].id)
    assert seen.read_text().count("MUX_REPOSITORY=") == 1
    assert seen.read_text().count("\nHOME=") >= 2
    assert "canary" not in seen.read_text()


MEDDLING = {
    "nothing": "true",
    "changed": "echo mine >> made.txt; echo mine > env/lib/tool; echo mine > env/new",
    "deleted": "rm -r env made.txt",
    "committed": "git add -A -f && git commit -qm all; echo mine > made.txt",
    "links": "rm made.txt; ln -s /etc made.txt; rm -r env; ln -s /etc env",
    "a repository": "git init -q env; echo mine > env/x",
}


async def test_what_it_makes_is_in_no_result_whatever_becomes_of_it(site: Site) -> None:
    site.configure(*MAKE)
    async with site.workshop.engine() as engine:
        task = await site.workshop.start(engine, *(f"sh:{one}; echo work > work.txt" for one in MEDDLING.values()))
        for what, run in zip(MEDDLING, task.runs, strict=True):
            done = await ended(engine, run.id)
            assert [change.path for change in done.files] == ["work.txt"], what


async def test_rules_that_an_agent_writes_bring_nothing_of_it_into_the_result(site: Site) -> None:
    site.configure(*MAKE)
    async with site.workshop.engine() as engine:
        _, texts = await site.outcome(engine, "echo > .gitignore; echo mine > env/lib/tool; echo new > notes.txt")
        assert texts == {".gitignore": "\n", "notes.txt": "new\n"}


async def test_files_that_an_agent_adds_beside_it_are_its_work(site: Site) -> None:
    site.configure("mkdir gen", "echo a > gen/a")
    async with site.workshop.engine() as engine:
        _, texts = await site.outcome(engine, "echo b > gen/b; echo mine > gen/a; cp gen/a c")
        assert texts == {"gen/b": "b\n", "c": "mine\n"}


async def test_an_agent_does_not_see_it_as_a_change(site: Site) -> None:
    site.configure(*MAKE)
    async with site.workshop.engine() as engine:
        _, texts = await site.outcome(engine, "git status --porcelain > seen; true")
        assert texts == {"seen": "?? seen\n"}


async def test_what_the_person_has_by_now_wins_over_what_was_made(site: Site) -> None:
    site.configure("a=made; echo a > $a.txt; mkdir $a; echo b > $a/b; mkdir ${a}2; echo c > ${a}2/c")
    async with site.workshop.engine() as engine:
        assert (await site.outcome(engine, "cat made.txt made/b made2/c > got"))[1] == {"got": "a\nb\nc\n"}
        site.write({"made.txt": "the person's\n", "made/own": "own\n"})
        elsewhere = site.count.parent / "elsewhere"
        elsewhere.mkdir()
        (site.workshop.root / "made2").symlink_to(elsewhere)
        command = "cat made.txt made/b > got; rm made.txt; echo mine > made.txt; echo more >> made/own"
        run, texts = await site.outcome(engine, command)
        assert site.times == 1
        assert texts == {"got": "the person's\nb\n", "made.txt": "mine\n", "made/own": "own\nmore\n"}, run
        assert not list(elsewhere.iterdir()), "nothing is written through a link"


async def test_a_slot_that_another_run_had_holds_a_fresh_copy(site: Site) -> None:
    site.configure(*MAKE, runs="keep_worktrees = 1")
    async with site.workshop.engine() as engine:
        await site.outcome(engine, "true")
        bad = "for one in made.txt env/lib/tool env/lib/more; do echo bad > $one; done; chmod 0 env/lib"
        _, first = await site.outcome(engine, f"pwd > where; {bad}")
        run, second = await site.outcome(engine, "pwd > where; cat made.txt env/lib/* > got")
        assert second == {"where": first["where"], "got": "made\ntool\n"}
        store = setup_folder(engine.repositories.get(site.workshop.root), str(run.setup))
        assert (store / artifacts.FILES / "made.txt").read_text() == "made\n"
        site.workshop.config.write_text("")
        _, third = await site.outcome(engine, "pwd > where; echo mine > made.txt")
        assert third == {"where": first["where"], "made.txt": "mine\n"}


async def test_without_commands_there_is_none(site: Site) -> None:
    site.workshop.config.write_text("")
    async with site.workshop.engine() as engine:
        run, _ = await site.outcome(engine, "echo x > x")
        assert run.setup is None
        assert not setup_folder(engine.repositories.get(site.workshop.root), "any").parent.exists()


async def test_its_failure_ends_the_runs_with_its_log(site: Site) -> None:
    site.configure("echo fetching; echo no such package >&2; exit 4", "echo never > never", runs="concurrent = 1")
    async with site.workshop.engine() as engine:
        task = await site.workshop.start(engine, *["sh:echo x > x"] * 3)
        runs = [await ended(engine, run.id) for run in task.runs]
        for run in runs:
            assert run.state is RunState.FAILED
            assert run.files == ()
            assert run.reason == (
                "The set-up command `echo fetching; echo no such package >&2; exit 4` ended with exit status 4: "
                f"no such package. `mux-lsp log {run.id} --setup` has its output."
            )
        assert site.times == 1
        log = (setup_folder(engine.repositories.get(site.workshop.root), str(runs[0].setup)) / "stdout").read_text()
        assert "fetching\nno such package\n" in log
        assert "never" not in log
        again = await engine.tasks.retry(runs[0].id)
        assert (await ended(engine, again.id)).state is RunState.FAILED
        assert site.times == 2
        assert not [
            slot for slot in engine.repositories.get(site.workshop.root).worktrees.slots() if slot.state != "released"
        ]


async def test_one_that_takes_too_long_fails(site: Site) -> None:
    site.configure("sleep 1000", runs="setup_timeout_seconds = 0.3")
    async with site.workshop.engine() as engine:
        task = await site.workshop.start(engine, "sh:true")
        done = await ended(engine, task.runs[0].id)
        assert str(done.reason).startswith("The set-up command `sleep 1000` took longer than 0.3 seconds.")
        assert not processes(site)


def processes(site: Site) -> list[psutil.Process]:
    """Return the processes at work below the state of this workshop."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MUX_WORKTREE", "").startswith(str(site.workshop.state)):
                found.append(process)
        except psutil.Error:
            continue
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


async def test_to_cancel_the_last_that_waits_ends_it_and_to_cancel_another_does_not(site: Site, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "begun", "go") as (begun, go):
        site.configure(f"{begun.give}; {go.take}; echo done > made.txt")
        async with site.workshop.engine() as engine:
            task = await site.workshop.start(engine, *["sh:cat made.txt > got"] * 2)
            await begun.happened(1)
            first, second = task.runs
            assert (await engine.runs.cancel(first.id)).state is RunState.CANCELLED
            assert processes(site)
            assert (await engine.runs.cancel(second.id)).state is RunState.CANCELLED
            await ended(engine, second.id)
            assert not processes(site)
            assert site.times == 1
            task = await site.workshop.start(engine, *["sh:cat made.txt > got"] * 2)
            await begun.happened()
            assert (await engine.runs.cancel(task.runs[0].id)).state is RunState.CANCELLED
            go.happens()
            assert await site.has(engine, task.runs[1], "got") == "done\n"
            assert site.times == 2


async def test_a_daemon_that_ends_leaves_nothing_of_it_and_the_next_one_begins_it_again(
    site: Site, tmp_path: Path
) -> None:
    with signals(tmp_path / "signals", "begun", "go") as (begun, go):
        site.configure(f"{begun.give}; {go.take}; echo done > made.txt")
        async with site.workshop.engine() as engine:
            task = await site.workshop.start(engine, *["sh:cat made.txt > got"] * 2)
            await begun.happened()
        assert not processes(site)
        async with site.workshop.engine() as engine:
            await begun.happened()
            go.happens()
            for run in task.runs:
                assert await site.has(engine, run, "got") == "done\n"
            assert site.times == 2


async def test_an_agents_own_lock_file_gets_a_set_up_of_its_own(site: Site) -> None:
    site.configure("cat app.lock src/app.py > made.txt")
    async with site.workshop.engine() as engine:
        run, _ = await site.outcome(engine, "echo 9 > app.lock; echo bad > src/app.py")
        await engine.tasks.carry_on(run.id, "go on")
        await ended(engine, run.id)
        assert site.times == 2
        # The contents of an agent's tree do not affect the worktrees of others.
        site.write({"app.lock": "9\n"})
        _, texts = await site.outcome(engine, "cat made.txt > got")
        assert texts["got"] == "9\nvalue = 1\n"
        assert site.times == 3


async def test_where_nothing_tells_what_it_depends_on_each_snapshot_has_its_own(site: Site) -> None:
    site.configure("cat src/app.py > made.txt", inputs=("*.nothing",))
    async with site.workshop.engine() as engine:
        assert (await site.outcome(engine, "cat made.txt > got"))[1] == {"got": "value = 1\n"}
        site.write({"src/app.py": "value = 2\n"})
        assert (await site.outcome(engine, "cat made.txt > got"))[1] == {"got": "value = 2\n"}


async def test_a_script_of_the_repository_counts_as_its_input(site: Site) -> None:
    site.write({"tools/setup.sh": "echo first > made.txt\n"})
    site.configure("sh ./tools/setup.sh")
    async with site.workshop.engine() as engine:
        assert (await site.outcome(engine, "cat made.txt > got"))[1] == {"got": "first\n"}
        site.write({"tools/setup.sh": "echo second > made.txt\n"})
        assert (await site.outcome(engine, "cat made.txt > got"))[1] == {"got": "second\n"}


async def test_files_of_the_snapshot_that_it_changes_stay_as_they_were(site: Site) -> None:
    site.configure("echo changed > f.txt; rm src/app.py; echo made > made.txt")
    async with site.workshop.engine() as engine:
        run, texts = await site.outcome(engine, "cat f.txt src/app.py made.txt > got")
        assert texts == {"got": "one\ntwo\nthree\nvalue = 1\nmade\n"}
        log = (setup_folder(engine.repositories.get(site.workshop.root), str(run.setup)) / "stdout").read_text()
        assert "the set-up has changed f.txt, src/app.py; worktrees have that as the snapshot does." in log


async def test_included_files_are_there_for_it_and_stay_the_persons(site: Site) -> None:
    site.write({".worktreeinclude": ".env\nnotes/\n", ".env": "key=1\n", "notes/a": "a\n"})
    (site.workshop.root / ".gitignore").write_text("env/\nnotes/\n.env\n")
    site.configure("cat .env > made.txt; echo b > notes/b")
    async with site.workshop.engine() as engine:
        read = "cat .env made.txt notes/* > got; echo > .gitignore"
        assert (await site.outcome(engine, read))[1]["got"] == "key=1\nkey=1\na\n"
        site.write({".env": "key=2\n"})
        _, texts = await site.outcome(engine, read)
        assert texts == {"got": "key=2\nkey=1\na\n", ".gitignore": "\n"}
        assert site.times == 1


async def test_the_least_used_are_removed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mux_lsp.engine.repository.setup.KEPT", 1)
    monkeypatch.setattr("mux_lsp.engine.repository.setup.LOGS", 1)
    site.configure("cp app.lock made.txt")
    async with site.workshop.engine() as engine:
        folder = setup_folder(engine.repositories.get(site.workshop.root), "any").parent
        for number in range(3):
            site.write({"app.lock": f"{number}\n"})
            run, _ = await site.outcome(engine, "cat made.txt > got")
        assert [one.name for one in folder.iterdir() if artifacts.load(one)] == [run.setup]
        assert len(list(folder.iterdir())) == 2, "the last log is kept too"
        site.write({"app.lock": "0\n"})
        assert (await site.outcome(engine, "cat made.txt > got"))[1] == {"got": "0\n"}
        assert site.times == 4


async def test_the_person_has_nothing_of_it(site: Site) -> None:
    site.configure(*MAKE)
    before = git(site.workshop.root, "status", "--porcelain", "--ignored")
    async with site.workshop.engine() as engine:
        await site.outcome(engine, READ)
    assert git(site.workshop.root, "status", "--porcelain", "--ignored") == before


async def test_a_virtual_environment_works_in_each_worktree_with_its_own_code(site: Site) -> None:
    site.write({".gitignore": ".venv/\n", "src/shop/__init__.py": "value = 1\n", "run.txt": ""})
    # The effect of an editable install of the project.
    point = (
        "from pathlib import Path; import sysconfig; "
        "Path(sysconfig.get_path('purelib'), 'shop.pth').write_text(str(Path('src').resolve()))"
    )
    tool = "#!$PWD/.venv/bin/python\\nimport shop; print(shop.__file__, shop.value)\\n"
    site.configure(
        f"{sys.executable} -m venv --without-pip .venv",
        f'.venv/bin/python -c "{point}"',
        f'printf "{tool}" > .venv/bin/tool; chmod +x .venv/bin/tool',
        ".venv/bin/python -c 'import shop'",
    )
    async with site.workshop.engine() as engine:
        command = (
            "echo 'value = 2' > src/shop/__init__.py; pwd > run.txt; .venv/bin/tool >> run.txt;"
            " .venv/bin/python -c 'import sys; print(sys.prefix)' >> run.txt; . .venv/bin/activate;"
            " echo $VIRTUAL_ENV >> run.txt"
        )
        task = await site.workshop.start(engine, *[f"sh:{command}"] * 2)
        folders = set()
        for run in task.runs:
            text = await site.has(engine, run, "run.txt")
            folder = str(text).splitlines()[0]
            assert str(text).splitlines()[1:] == [
                f"{folder}/src/shop/__init__.py 2",
                f"{folder}/.venv",
                f"{folder}/.venv",
            ]
            folders.add(folder)
        assert len(folders) == 2
        assert site.times == 1
