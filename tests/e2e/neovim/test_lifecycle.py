"""Test runs and tasks: events, status, cancelling, retrying, deleting, verifying and picking."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.e2e.neovim.notes import WRITTEN, capitals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person


def test_autocommands_progress_and_the_statusline_show_what_is_running(person: Person, root: Path) -> None:
    go = root.parent / "go"
    person.lua(
        "_G.events = {}\n"
        "vim.api.nvim_create_autocmd('User', { pattern = 'Mux*', callback = function(event)\n"
        "  local run = (event.data.run or {}).id\n"
        "  table.insert(_G.events, run and event.match .. ' ' .. run or event.match)\n"
        "end })\n"
        "_G.progress = {}\n"
        "vim.api.nvim_create_autocmd('LspProgress', { callback = function(event)\n"
        "  table.insert(_G.progress, event.data.params.value)\n"
        "end })\n"
        "vim.o.laststatus = 2\n"
        "vim.o.statusline = \"[%{v:lua.require'mux'.statusline()}]\""
    )
    task = person.start(f"{capitals(3)}; until [ -e {go} ]; do sleep 0.05; done", "false")
    person.sees("[mux: 1 working, 1 to review]")
    go.touch()
    person.wait("vim.tbl_contains(_G.events, 'MuxTaskEnded')")
    events = set(person.value("_G.events"))
    assert {f"MuxRunFinished {task}-1", f"MuxRunFailed {task}-2", "MuxTaskChanged", "MuxReviewChanged"} <= events
    # Used by fidget, noice and `vim.lsp.status()`.
    person.wait("vim.iter(_G.progress):any(function(one) return one.kind == 'end' end)")
    begun, *reports, ended = person.value("_G.progress")
    assert (begun["kind"], begun["title"]) == ("begin", f"{task}: do it")
    assert all(one["kind"] == "report" for one in reports)
    assert {one["percentage"] for one in reports} >= {50}
    assert f"{task}-1 running" in " ".join(one["message"] for one in reports)
    assert (ended["kind"], ended["message"]) == ("end", "1 of 2 finished")
    person.sees("[mux: 1 to review]")


def test_status_and_agents_are_shown(shouting: None, start: Open) -> None:
    person = start()
    person.attached()
    person.command("Mux status")
    person.says("unfinished run")
    assert re.search(
        r"mux-lsp [\d.]+, pid \d+: \d+ unfinished runs?, \$\d+\.\d\d and .* spent today", person.notifications()[-1]
    )
    person.command("set cmdheight=14")  # a list of this length would wait for Enter
    person.command("Mux agents")
    assert "(default)" in person.says("shouter ")


def test_a_run_is_retried_and_a_task_is_paused_and_deleted(person: Person, root: Path) -> None:
    task = person.start(f"[ -e {root.parent}/ready ] && {capitals(3)}")
    person.wait("require('mux.store').run(a[1]).state == 'failed'", f"{task}-1")
    (root.parent / "ready").touch()
    person.command(f"Mux retry {task}-1")
    person.sees("  LINE 3")
    person.wait("require('mux.store').run(a[1]).state == 'finished'", f"{task}-2")
    person.keys("3G")
    menu = person.editor.menu("vim.cmd('Mux delete')", f"Delete {task}-2 and its results permanently?")
    person.editor.choose(menu, "delete")
    person.says(f"mux: {task}-2 deleted")
    person.sees_no("  LINE 3")
    other = person.start("sleep 600")
    person.command(f"Mux pause {other}")
    person.wait("require('mux.store').task(a[1]).paused", other)
    person.command(f"Mux resume {other}")
    person.wait("not require('mux.store').task(a[1]).paused", other)
    person.command(f"Mux cancel {other}")
    person.ended(other)


def test_a_run_is_cancelled(person: Person) -> None:
    task = person.start("sleep 600", "sleep 600")
    person.wait("require('mux.store').run(a[1] .. '-1').state == 'running'", task)
    person.command(f"Mux cancel {task}-1")
    person.wait("require('mux.store').run(a[1] .. '-1').state == 'cancelled'", task)
    person.command(f"Mux cancel {task}")
    person.says(f"mux: {task}: 0 of 2 finished, nothing was changed")
    assert person.lines() == WRITTEN


def test_check_failures_are_listed_relative_to_the_root_without_interrupting_typing(person: Person, root: Path) -> None:
    go = root.parent / "go"
    task = person.start("true", checks=[f"until [ -e {go} ]; do sleep 0.05; done; cat {go}; false"])
    person.wait("require('mux.store').task(a[1])", task)
    person.command(f"cd {root.parent}")
    person.command("Mux verify")
    person.type("Gotyp")
    go.write_text("notes.txt:4:no\n")
    person.says("mux: 0 of 1 checks passed in")
    person.type("ing<Esc>")
    person.wait("vim.fn.getline('$') == 'typing'")
    person.command("cc")
    assert person.value("vim.api.nvim_buf_get_name(0)") == str(root / "notes.txt")
    assert person.value("vim.fn.line('.')") == 4


def test_a_run_is_verified_and_picked_and_the_others_are_restored(person: Person) -> None:
    task = person.start(capitals(2), capitals(8), checks=["grep -n LINE notes.txt || { echo notes.txt:4:no; false; }"])
    person.ended(task)
    person.command("Mux verify")
    person.says("mux: 0 of 1 checks passed in")
    person.wait("vim.bo.filetype == 'qf'")
    person.sees("notes.txt|4| no")
    person.command("cclose")
    person.command(f"Mux verify {task}-1")
    person.says("mux: 1 of 1 checks passed in")
    person.command(f"Mux pick {task}-2")
    person.says(f"mux: {task}-2 accepted, {task}-1 discarded")
    assert person.lines() == [*WRITTEN[:7], "LINE 8", *WRITTEN[8:]]
    person.sees_no("  LINE 2")
    person.command(f"Mux restore {task}-1")
    person.says(f"mux: {task}-1 restored")
    person.sees("  LINE 2")
    menu = person.editor.menu(f"vim.cmd('Mux discard {task}-1')", f"Discard {task}-1?")
    person.editor.choose(menu, "discard")
    person.says(f"mux: {task}-1 discarded; :Mux restore {task}-1 undoes this")
    person.sees_no("  LINE 2")
