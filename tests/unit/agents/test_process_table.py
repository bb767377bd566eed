"""Test which processes of a table belong to a run."""

from __future__ import annotations

from mux_lsp.agents.process_table import Process, ProcessEntry, members


def check(
    table: str, expected: set[int], known: tuple[Process, ...] = (), protected: frozenset[int] = frozenset()
) -> None:
    """Check a table. A line is: number, parent, session, and `mark` if the process carries the run's mark."""
    entries = {}
    for line in table.strip().splitlines():
        pid, parent, session, *mark = line.split()
        entries[int(pid)] = ProcessEntry(Process(int(pid), 1.0), int(parent), int(session), bool(mark))
    assert {process.pid for process in members(entries, known, protected)} == expected


def test_nothing_belongs_without_evidence() -> None:
    check("10 1 10\n11 10 10", set())


def test_mark() -> None:
    check("10 1 10\n11 10 10 mark", {11})


def test_descendants_of_the_marked() -> None:
    check("10 1 10 mark\n11 10 11\n12 11 12\n13 1 13", {10, 11, 12})


def test_session_that_a_member_leads() -> None:
    check("10 1 10 mark\n11 1 10\n12 1 12", {10, 11})


def test_session_that_a_member_is_only_in() -> None:
    check("10 1 10\n11 10 10 mark\n12 10 10", {11})


def test_session_of_a_known_leader_that_has_gone() -> None:
    check("11 1 10\n12 11 12\n13 1 13", {11, 12}, known=(Process(10, 1.0),))


def test_number_that_has_passed_to_another() -> None:
    check("10 1 10\n11 10 10", set(), known=(Process(10, 0.5),))


def test_protected_and_what_belongs_only_because_of_them() -> None:
    check("10 1 10 mark\n20 10 20 mark\n21 20 21\n22 20 20\n30 10 30", {10, 30}, protected=frozenset({20}))
