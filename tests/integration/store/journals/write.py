"""Write a journal with the code of a given commit and print it as SQL. The fixtures beside this were made so.

    git archive COMMIT mux_lsp | tar -x -C FOLDER
    PYTHONPATH=FOLDER python tests/integration/store/journals/write.py > tests/integration/store/journals/vN.sql

The last commit before a new migration writes the fixture of the schema that the migration replaces. A number as an
argument applies only that many migrations, for a schema that is not the last of any commit.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import tempfile
from pathlib import Path
from typing import Any

from mux_lsp.core import model
from mux_lsp.store import database
from mux_lsp.store.journal import Journal

REPOSITORY = "/home/ada/caf\udce9/project"
COMMIT, TREE, HEAD, RESULT = "1" * 40, "2" * 40, "3" * 40, "4" * 40


def made(kind: Any, /, **values: Any) -> Any:
    """Return a value of a class, with those of these fields that the class has in that code."""
    return kind(**{name: value for name, value in values.items() if name in {f.name for f in dataclasses.fields(kind)}})


def tasks() -> list[Any]:
    changes = (
        made(model.FileChange, path="src/b\udce9.py", kind=model.ChangeKind.ADDED, old_mode=0, new_mode=0o100644,
             old_object="0" * 40, new_object="5" * 40, lines_added=3, lines_removed=0),
        made(model.FileChange, path="logo.png", kind=model.ChangeKind.MODIFIED, old_mode=0o100644, new_mode=0o100644,
             old_object="6" * 40, new_object="7" * 40),
    )  # fmt: skip
    passed = {"before": model.CheckState.FAILED, "baseline_state": model.CheckState.FAILED}
    check = made(model.Check, command="make test", state=model.CheckState.PASSED, exit_status=0, seconds=1.5, **passed)
    common = {"task": "k3f", "model": None, "base": COMMIT, "left_out": (model.LeftOut("big.bin", "is too large"),)}
    # A renamed field is given by both of its names.
    renamed = {
        "worked": 50.0, "work_seconds": 50.0, "taken": True, "result_complete": True, "meddled": ("tests/t.py",),
        "tampered": ("tests/t.py",), "collided": ("src/c.py",), "merge_conflicts": ("src/c.py",),
        "hidden": ("conftest.py",), "hidden_config": ("conftest.py",),
    }  # fmt: skip
    done = made(
        model.Run, **common, id="k3f-1", agent="claude", state=model.RunState.FINISHED, result=RESULT, files=changes,
        hunks=2, checks=(check,), port=41000, pid=4711, pid_created=1234.5, exit_status=0, cost_usd=0.25, tokens=5000,
        started=1000.5, finished=1060.25, message="go on", turn=1, session="abc", restored_checks=(check,),
        **renamed,
    )  # fmt: skip
    working = made(
        model.Run, **common, id="k3f-2", agent="sh:make it", state=model.RunState.RUNNING, worktree="s1", pid=4712,
        pid_created=1234.75, started=1000.75, reason="a reason",
    )  # fmt: skip
    failed = made(
        model.Run, **common, id="k3f-3", agent="codex", state=model.RunState.FAILED, exit_status=3,
        reason="ended with exit status 3", started=1001.0, finished=1002.0, discarded=1003.0,
    )  # fmt: skip
    first = made(
        model.Task, id="k3f", prompt="Do \u00fcn\u00efc\u00f6d\u00e9\nand half of a character: \ud800",
        repository=REPOSITORY, folder="src", created=1000.0, snapshot=model.Snapshot(COMMIT, TREE, HEAD),
        checks=("make test",), protected=("judge/",), context=(model.Context("a.py", 1, 2), model.Context("b.py")),
        numbered=3, runs_created=3, enough=2, stop_after=2, baseline=(check,), runs=(done, working, failed), priority=2,
        max_cost_usd=1.5,
    )  # fmt: skip
    run = made(model.Run, id="b2c-1", task="b2c", agent="gemini", model="pro", state=model.RunState.QUEUED, base=COMMIT)
    second = made(
        model.Task, id="b2c", prompt="Another", repository="/home/ada/other", folder="", created=2000.0,
        snapshot=model.Snapshot(COMMIT, TREE, None), numbered=1, runs_created=1, runs=(run,), parent="k3f-1",
        paused=True,
    )  # fmt: skip
    return [first, second]


def fill(journal: Any, schema: int) -> None:
    for task in tasks():
        journal.add_task(task)
    for run in tasks()[0].runs:
        journal.save_run(run, f"run.{run.state}", {"previous": "preparing", "reason": run.reason})
    journal.reject("k3f-1", [("src/b\udce9.py", "0123456789"), ("logo.png", "")])
    if schema >= 2:
        accept(journal)
    if schema >= 3:
        getattr(journal, "grants", journal).allow(REPOSITORY, "bash", "make test")
    if schema >= 4:
        from mux_lsp.core.spending import Spent
        from mux_lsp.store.spending import Spending

        journal.spend(Spending("k3f-1", "k3f", REPOSITORY, (), Spent(0.25, 5000)))
        journal.spend(Spending("b2c-1", "b2c", "/home/ada/other", ("k3f-1",), Spent(0.5, 100)))
    if schema >= 5:
        getattr(journal, "grants", journal).trust(REPOSITORY, "8" * 64)
    if schema >= 6:
        begin(journal)
    if schema >= 8:
        raise NotImplementedError("say here what the tables of the newer schemas hold")


def accept(journal: Any) -> None:
    from mux_lsp.core import history
    from mux_lsp.store import acceptances

    accepted = [
        made(
            history.Acceptance, repository=REPOSITORY, task="k3f", run="k3f-1", agent="claude", model=None,
            prompt="Do it\n\ud800", message=None, path="src/b\udce9.py", origin="src/b\udce9.py", hunk=hunk,
            change=hunk, how=history.Cause.ACCEPT, cause=history.Cause.ACCEPT, of=3, total=3,
            client="neovim", person="ada", line=4,
            removed=history.Extract(1, "old\n"), added=history.Extract(2, "new\nnewer\n"),
            before=("def f():",), after=("",),
        )
        for hunk in ("0123456789", "abcdef0123")
    ]  # fmt: skip
    journal.record([acceptances.row(one) for one in accepted])
    key: Any = getattr(history, "ChangeKey", None) or getattr(history, "Key", None)
    if key is not None:
        journal.record([], [key("k3f", "src/b\udce9.py", "abcdef0123")])


def begin(journal: Any) -> None:
    from mux_lsp.core import transaction
    from mux_lsp.store.codec import dumps

    intent = made(
        transaction.Intent, id="0a1b2c3d-1", root=REPOSITORY, identity=model.RootIdentity(17, 18), run="k3f-1",
        client="neovim", stages=("",), paths=("src/b\udce9.py",), discard=("k3f-2",),
        steps=(transaction.Step("src/b\udce9.py", None, "100644:00", made=("src",)),),
    )  # fmt: skip
    journal.begin_accept(intent.id, transaction.Phase.ASKING, dumps(intent))


def main() -> None:
    schema = int(sys.argv[1]) if len(sys.argv) > 1 else len(database.MIGRATIONS)
    database.MIGRATIONS = database.MIGRATIONS[:schema]  # type: ignore[misc]  # that many and no more
    clock = {"clock": lambda: 1_764_000_000.0} if "clock" in inspect.signature(Journal).parameters else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mux.db")
        with Journal(path, **clock) as journal:
            fill(journal, schema)
            sys.stdout.write(f"PRAGMA user_version = {schema};\n")
            sys.stdout.write("".join(f"{line}\n" for line in journal._database.iterdump()))


if __name__ == "__main__":
    main()
