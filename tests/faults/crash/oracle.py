"""Check what must hold for everything on the disk when nothing is at work: nothing damaged, nothing left over."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psutil

from tests.support.person import try_git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.crash.bench import Ground


def breaches(ground: Ground) -> list[str]:
    """Return a sentence for each thing that is not as it must be."""
    database = ground.state / "mux.db"
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as connection:
        found = [f"journal: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [f"journal: foreign key of {row}" for row in connection.execute("PRAGMA foreign_key_check")]
        tasks = {row[0] for row in connection.execute("SELECT id FROM tasks")}
        runs = {name: json.loads(data) for name, data in connection.execute("SELECT id, data FROM runs")}
    held = {run["worktree"] for run in runs.values() if run.get("worktree") is not None}
    for folder in sorted((ground.state / "repos").glob("*")):
        found += _of_store(folder / "shadow.git", tasks, set(runs), folder)
        found += _of_slots(folder, held)
        found += [f"left: {one.relative_to(ground.state)}" for one in _left_over(folder)]
    logs = {one.name for one in (ground.state / "runs").glob("*")}
    found += [f"left: the folder of {name}, which there is none of" for name in sorted(logs - set(runs))]
    found += [f"left: {one.relative_to(ground.state)}" for one in (ground.state / "runs").glob("*/.[no][el][wd]-*")]
    if (ground.state / "clients").exists():
        found += [f"left: {one.relative_to(ground.state)}" for one in (ground.state / "clients").iterdir()]
    found += [f"process {one.pid} is left: {' '.join(one.cmdline())[:80]}" for one in processes(ground.state)]
    return found


def processes(state: Path) -> list[psutil.Process]:
    """Return the living processes that carry the mark of a run, a check or a set-up of this state."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            marked = environment.get("MUX_WORKTREE", "").startswith(str(state))
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _of_store(store: Path, tasks: set[str], runs: set[str], folder: Path) -> list[str]:
    if not (store / "HEAD").exists():
        return []
    checked = try_git(store, "--git-dir", str(store), "fsck", "--full", "--no-dangling", "--no-progress")
    said = (checked.stdout + checked.stderr).decode(errors="replace").splitlines()
    found = [f"store: {line}" for line in said if not line.startswith("notice:")]
    if checked.returncode and not found:
        found.append(f"store: git fsck ended with status {checked.returncode}")
    slots = {one.name for one in (folder / "slots").glob("*")}
    verdict = folder / "verify" / "verdict.json"
    verified = {json.loads(verdict.read_text())["name"]} if verdict.exists() else set()
    of_runs = {*runs, *(re.sub(r"\.\d+$", "", name) for name in runs)}
    for ref in try_git(store, "--git-dir", str(store), "for-each-ref", "--format=%(refname)").stdout.decode().split():
        kind, _, name = ref.removeprefix("refs/mux/").partition("/")
        known = {
            "person": {""},
            "slots": slots,
            "snapshots": {*tasks, *verified, *(name for name in [name] if re.sub(r"\.\d+$", "", name) in of_runs)},
            "results": {*runs, *(name for name in [name] if re.sub(r"\.\d+$", "", name) in of_runs)},
            "trials": verified,
        }
        if name not in known.get(kind, set()):
            found.append(f"left: {ref}, which nothing needs")
    return found


def _of_slots(folder: Path, held: set[str]) -> list[str]:
    found = []
    names = {part: {one.name for one in (folder / part).glob("*")} for part in ("slots", "worktrees", "gitdirs")}
    for name in sorted(names["slots"] | names["worktrees"] | names["gitdirs"]):
        file = folder / "slots" / name / "slot.json"
        if not file.exists():
            parts = [part for part, there in names.items() if name in there]
            found.append(f"slot {name} is not on record, and has {', '.join(parts)}")
            continue
        state = json.loads(file.read_text())["state"]
        if name in held:
            found.append(f"slot {name} is still held by a run that has ended")
        elif state != "released":
            found.append(f"slot {name} is {state}, and no run has it")
        if name in names["gitdirs"]:
            found.append(f"slot {name} was given back, and its agent's git directory is there")
    return found


def _left_over(folder: Path) -> list[Path]:
    found = [*(folder / "shadow.git").rglob("*.lock"), *(folder / "slots").glob("*/*.lock")]
    found += [*(folder / "person").glob("*.lock")]
    kept = json.loads((folder / "verify" / "verdict.json").read_text())["name"] if _has_verdict(folder) else None
    found += [one for one in (folder / "verify").glob("*") if one.is_dir() and one.name != kept]
    return sorted(found)


def _has_verdict(folder: Path) -> bool:
    return (folder / "verify" / "verdict.json").exists()
