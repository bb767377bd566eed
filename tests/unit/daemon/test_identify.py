"""Test the identification of a client by its processes, over made-up process tables, and the resulting rights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from mux_lsp.callers import Agent, Caller, Guest, Nobody, Person
from mux_lsp.daemon.identify import (
    HIDDEN,
    INSTEAD,
    MAX_ANCESTORS,
    MAX_ROUNDS,
    LookContext,
    Target,
    decide,
    identify,
)
from mux_lsp.daemon.process_tables import Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mux_lsp.daemon.process_tables import Ends

DAEMON, SUPERVISOR, AGENT, PEER, SHELL, EDITOR = 100, 200, 201, 500, 60, 61
STATE = "/home/ada/state"
GROUND = LookContext(DAEMON, STATE, {SUPERVISOR: "k3f-1"})
RUN = {"MUX_RUN": "k3f-1", "MUX_WORKTREE": f"{STATE}/repos/a/worktrees/1"}


def process(pid: int, parent: int, session: int | None = None, **more: object) -> Facts:
    """Return a process whose start time is its number."""
    facts = Facts(pid, float(pid), parent, session or pid, session or pid, {})
    return replace(facts, **more)  # type: ignore[arg-type]


MACHINE = (
    process(1, 0),
    process(DAEMON, 1),
    process(SUPERVISOR, DAEMON, environment=RUN, arguments=("/bin/sh", "-c")),
    process(AGENT, SUPERVISOR, SUPERVISOR, environment=RUN),
    process(50, 1, arguments=("tmux",)),
    process(SHELL, 50, arguments=("-bash",)),
    process(EDITOR, SHELL, SHELL, arguments=("nvim", "notes.txt")),
)


@dataclass
class Made:
    """A process table that the test fills. It may change between two reads."""

    processes: dict[int, Facts]
    open: dict[int, tuple[str, ...] | None] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    """Processes that exist but cannot be read."""
    then: Callable[[Made, int], None] = lambda _, __: None
    """A function called before each read with the number of reads so far."""
    reads: int = 0

    def facts(self, pid: int) -> Facts | None:
        self.then(self, self.reads)
        self.reads += 1
        return None if pid in self.hidden else self.processes.get(pid)

    def hides(self, pid: int) -> bool:
        return pid in self.hidden and pid in self.processes

    def parent(self, pid: int) -> tuple[float, int] | None:
        facts = self.facts(pid)
        return None if facts is None else (facts.created, facts.parent)

    def files(self, pid: int) -> tuple[str, ...] | None:
        return self.open.get(pid, ())

    def owners(self, ends: Ends) -> frozenset[int]:
        raise NotImplementedError

    def add(self, *processes: Facts) -> None:
        self.processes |= {one.pid: one for one in processes}

    def end(self, pid: int, heir: int = 1) -> None:
        """End a process. Its children become those of another one."""
        del self.processes[pid]
        for child in self.processes.values():
            if child.parent == pid:
                self.add(replace(child, parent=heir))


def made(peer: Facts, *others: Facts) -> Made:
    return Made({one.pid: one for one in (*MACHINE, *others, peer)})


def starter(names: Iterable[str]) -> str | None:
    return next((name for name in names if name in {"k3f-1", "k3f-2"}), None)


def ask(table: Made, *, claimed: str | None = None, key: bool = True, before: float | None = None) -> Caller:
    """Return the identified caller for the process PEER."""
    target = Target(PEER, lambda: PEER in table.processes, before)
    return decide(identify(table, target, GROUND), claimed, starter, key=key)


def tool(name: str) -> Guest:
    return Guest(f"this was started by {name}: {INSTEAD}")


@pytest.mark.parametrize(
    ("peer", "asker"),
    [
        (process(PEER, SHELL, SHELL), Person()),
        (process(PEER, EDITOR), Person()),
        (process(PEER, 1), Person()),
        (process(PEER, EDITOR, environment={"MUX_RUN": "zzz-9"}), Person()),
        (process(PEER, EDITOR, environment={"MUX_RUN": "k3f-2"}), Agent("k3f-2")),
        (process(PEER, EDITOR, environment={"MUX_WORKTREE": f"{STATE}/repos/b/worktrees/7"}), Agent(None)),
        (process(PEER, AGENT, SUPERVISOR, environment=RUN), Agent("k3f-1")),
        (process(PEER, AGENT, SUPERVISOR), Agent("k3f-1")),
        (process(PEER, AGENT), Agent("k3f-1")),
        (process(PEER, SUPERVISOR), Agent("k3f-1")),
        (process(PEER, 1, SUPERVISOR), Agent("k3f-1")),
        (process(PEER, 1, 999, group=SUPERVISOR), Agent("k3f-1")),
        (process(PEER, DAEMON), Agent(None)),
        (process(PEER, 1, streams=("/dev/null", f"{STATE}/runs/k3f-1/stdout")), Agent(None)),
        (process(PEER, 1, environment={"CLAUDECODE": "1"}), tool("Claude Code")),
        (process(PEER, 1, environment={"AI_AGENT": "new-one"}), tool("the agent 'new-one'")),
        (process(PEER, 1, environment={"AGENT": "goose"}), tool("the agent 'goose'")),
        (process(PEER, 1, environment={"AGENT": "amp/1.2"}), tool("the agent 'amp/1.2'")),
        (process(PEER, 1, environment={"AGENT": "pi"}), tool("the agent 'pi'")),
        (process(PEER, 1, environment={"AGENT": "pipeline-3"}), Person()),
        (process(PEER, 1, environment={"AGENT": "/usr/bin/ssh-agent", "CODEX_HOME": "/x", "CLAUDECODE": ""}), Person()),
        (process(PEER, 1, environment={"AI_AGENT": "none", "GEMINI_CLI": "False", "OPENCODE": "0"}), Person()),
        (process(PEER, AGENT, environment={"CLAUDECODE": "1"}), Agent("k3f-1")),
        (process(PEER, SHELL, environment=None), Nobody(f"the program that asks may not be looked at: {INSTEAD}")),
        (process(PEER, AGENT, environment=None), Nobody(f"the program that asks may not be looked at: {INSTEAD}")),
    ],
)  # fmt: skip
def test_where_a_process_comes_from(peer: Facts, asker: Caller) -> None:
    assert ask(made(peer)) == asker


def test_the_outermost_run_of_ours_is_believed() -> None:
    inner = process(210, AGENT, environment={"MUX_RUN": "k3f-2"})
    assert ask(made(process(PEER, 210, environment={"MUX_RUN": "zzz-9"}), inner)) == Agent("k3f-1")


def test_a_run_that_only_the_client_itself_names_is_believed_last() -> None:
    assert ask(made(process(PEER, EDITOR)), claimed="k3f-2") == Agent("k3f-2")
    assert ask(made(process(PEER, AGENT)), claimed="k3f-2") == Agent("k3f-1")
    assert ask(made(process(PEER, EDITOR)), claimed="zzz-9") == Person()


def test_without_the_key_nobody_is_the_person() -> None:
    assert ask(made(process(PEER, EDITOR)), key=False) == Guest(
        f"the program that asks has not shown the person's key: {INSTEAD}"
    )
    assert ask(made(process(PEER, AGENT)), key=False) == Agent("k3f-1")


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (("claude",), "Claude Code"),
        (("/opt/bin/codex", "exec"), "Codex"),
        (("node", "/usr/local/bin/gemini"), "Gemini CLI"),
        (("node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"), "Claude Code"),
        (("node", "--no-warnings", "/opt/codex/bin/codex.js"), "Codex"),
        (("/usr/bin/python3.12", "-m", "aider"), "aider"),
        (("/usr/bin/python3", "/home/ada/.local/bin/aider"), "aider"),
    ],
)
def test_an_agent_of_the_persons_is_known_by_its_program(program: tuple[str, ...], name: str) -> None:
    agent = process(210, SHELL, arguments=program)
    assert ask(made(process(PEER, 220), agent, process(220, 210))) == tool(name)


@pytest.mark.parametrize(
    "program",
    [
        ("nvim", "claude"),
        ("node", "/src/claude/cli.js"),
        ("vim", "/opt/codex/codex.js"),
        ("node", "server.js"),
        ("python3", "-m"),
        (),
        ("",),
    ],
)
def test_a_program_that_only_has_to_do_with_one_is_none(program: tuple[str, ...]) -> None:
    assert ask(made(process(PEER, 210), process(210, SHELL, arguments=program))) == Person()


def test_the_leader_of_the_session_tells_for_an_orphan() -> None:
    shell = process(210, SHELL, environment={"CLAUDECODE": "1"})
    assert ask(made(process(PEER, 1, 210), shell)) == tool("Claude Code")


@pytest.mark.parametrize(
    ("files", "asker"),
    [
        ((f"{STATE}/runs/k3f-1/stderr",), Agent(None)),
        ((f"{STATE}/repos/a/worktrees/1/notes.txt",), Agent(None)),
        ((f"{STATE}/repos/a/worktrees/1/.venv/bin/python (deleted)",), Agent(None)),
        ((f"{STATE}/repos/a/gitdirs/1/index",), Agent(None)),
        ((f"{STATE}/repos/a/shadow.git/HEAD", f"{STATE}/daemon.json", f"{STATE}x/runs/1", "/runs/k3f-1"), Person()),
        ((f"{STATE}/log/../runs/k3f-1/stdout",), Agent(None)),
        (None, Nobody(f"the program that asks may not be looked at: {INSTEAD}")),
    ],
)
def test_what_a_process_has_open(files: tuple[str, ...] | None, asker: Caller) -> None:
    table = made(process(PEER, SHELL))
    table.open[PEER] = files
    assert ask(table) == asker


def test_what_an_editor_has_open_says_nothing_of_its_bridge() -> None:
    table = made(process(PEER, EDITOR))
    table.open[EDITOR] = (f"{STATE}/repos/a/worktrees/1/notes.txt",)
    assert ask(table) == Person()


def test_a_parent_of_another_user_says_nothing() -> None:
    sudo = process(210, SHELL, environment=None)
    assert ask(made(process(PEER, 210), sudo)) == Person()
    sudo = process(210, AGENT, environment=None)
    assert ask(made(process(PEER, 210), sudo)) == Agent("k3f-1")


# Races


GONE = Nobody(f"the program that asks had ended before it could be looked at: {INSTEAD}")


def test_one_that_has_ended_is_nobody() -> None:
    table = made(process(PEER, SHELL))
    table.end(PEER)
    assert ask(table) == GONE


@pytest.mark.parametrize("read", range(12))
def test_one_that_ends_during_the_look_is_nobody_whenever_that_is(read: int) -> None:
    table = made(process(PEER, SHELL))
    table.then = lambda table, reads: table.end(PEER) if reads == read and PEER in table.processes else None
    asker = ask(table)
    assert isinstance(asker, Nobody) or (asker == Person() and table.reads <= read), asker
    assert isinstance(asker, Nobody) == (PEER not in table.processes)


def test_a_number_that_has_passed_to_a_later_process_is_nobodys() -> None:
    assert ask(made(process(PEER, SHELL)), before=PEER) == Nobody(
        f"the program that asks had ended before it could be looked at, and another process has its number: {INSTEAD}"
    )
    assert ask(made(process(PEER, SHELL)), before=PEER + 0.01) == Person()


@pytest.mark.parametrize("read", range(20))
def test_a_number_that_passes_to_a_persons_process_during_the_look(read: int) -> None:
    """An agent's process ends, and a process of the person's gets its number, at every moment of the identification."""
    table = made(process(PEER, AGENT))
    there = True

    def pass_on(table: Made, reads: int) -> None:
        nonlocal there
        if reads == read:
            there = False
            table.add(process(PEER, SHELL, SHELL, created=9999.0))

    table.then = pass_on
    asker = decide(identify(table, Target(PEER, lambda: there), GROUND), None, starter, key=True)
    assert isinstance(asker, Agent | Nobody), asker


@pytest.mark.parametrize("read", range(20))
@pytest.mark.parametrize("heir", [SUPERVISOR, DAEMON])
def test_an_orphan_is_told_whenever_its_parent_ends(read: int, heir: int) -> None:
    table = made(process(PEER, 211), process(210, AGENT), process(211, 210))

    def end(table: Made, reads: int) -> None:
        if reads >= read and reads - read < 2 and 211 - (reads - read) in table.processes:
            table.end(211 - (reads - read), heir)

    table.then = end
    assert isinstance(ask(table), Agent)


def test_a_number_of_a_parent_that_has_passed_on_leads_nowhere() -> None:
    """The parent has ended, and a younger process has its number: the child itself is read again."""
    table = made(process(PEER, 210), process(210, SHELL, created=9999.0))
    table.then = lambda table, reads: table.add(process(PEER, SUPERVISOR)) if reads == 3 else None
    assert ask(table) == Agent("k3f-1")


def test_processes_that_change_for_ever_are_nobodys() -> None:
    table = made(process(PEER, 50))

    def fork(table: Made, reads: int) -> None:
        table.processes[PEER] = process(PEER, 250 + reads % 40)
        table.add(process(250 + (reads + 1) % 40, SHELL))

    table.then = fork
    asker = ask(table)
    assert asker == Nobody(
        f"the program that asks was started by processes that change faster than they can be looked at: {INSTEAD}"
    )
    assert table.reads < MAX_ROUNDS * 10


def test_a_chain_without_an_end_is_nobodys() -> None:
    long = [process(1000 + number, 999 + number) for number in range(1, MAX_ANCESTORS + 1)]
    table = made(process(PEER, long[-1].pid, created=1e6), *long, process(1000, 1))
    assert isinstance(ask(table), Nobody)
    assert table.reads < MAX_ROUNDS * (2 * MAX_ANCESTORS + 10)


def test_where_the_daemon_is_the_first_process_its_children_are_everybodys() -> None:
    table = Made({1: process(1, 0), PEER: process(PEER, 1)})
    ground = replace(GROUND, daemon=1)
    traces = identify(table, Target(PEER, lambda: True), ground)
    assert decide(traces, None, starter, key=True) == Person()


def test_a_first_process_that_is_hidden_hides_no_person() -> None:
    """`/proc` is mounted with hidepid: the processes of others cannot be seen, including the first one."""
    table = made(process(PEER, EDITOR))
    table.hidden = frozenset({1})
    assert ask(table) == Person()


def test_a_parent_that_is_hidden_may_be_anybodys() -> None:
    table = made(process(PEER, EDITOR), process(55, 1))
    table.processes[SHELL] = replace(table.processes[SHELL], parent=55)
    table.hidden = frozenset({1, 55})
    assert ask(table) == Nobody(f"{HIDDEN}: {INSTEAD}")
    assert table.reads < MAX_ROUNDS
