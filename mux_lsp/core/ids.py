"""Resolve ids of tasks and runs as people type them: in part, with a slip, in capitals.

A task's id is like `k3f`, a run's like `k3f-2`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_SUGGESTIONS: Final = 3
"""Maximum number of ids that are suggested for an unknown one."""


def resolve(typed: str, ids: Collection[str]) -> str | None:
    """Return the one id that is meant: an exact match, or the only id of the same kind (task or run) with that prefix.

    The number of a run must be complete.
    """
    wanted = typed.lower()
    if wanted in ids:
        return wanted
    task, dash, number = wanted.rpartition("-")
    if dash:
        found = [one for one in ids if task and number and one.startswith(task) and one.partition("-")[2] == number]
    else:
        found = [one for one in ids if wanted and "-" not in one and one.startswith(wanted)]
    return found[0] if len(found) == 1 else None


def suggestions(typed: str, ids: Collection[str]) -> tuple[str, ...]:
    """Return the ids that may have been meant: those with that prefix, or else those that are one slip away."""
    wanted = typed.lower()
    alike = [one for one in ids if ("-" in one) == ("-" in wanted)]
    begin = [one for one in alike if wanted and one.startswith(wanted)]
    return tuple(sorted(begin or [one for one in alike if _is_slip(wanted, one)], key=_order)[:MAX_SUGGESTIONS])


def _order(one: str) -> tuple[str, int, str]:
    task, _, number = one.partition("-")
    return task, len(number), number


def _is_slip(typed: str, meant: str) -> bool:
    """Return whether one character is wrong, missing or superfluous, or two adjacent ones are swapped."""
    start = 0
    while start < min(len(typed), len(meant)) and typed[start] == meant[start]:
        start += 1
    one, other = typed[start:], meant[start:]
    return (
        one[1:] == other[1:] or one[1:] == other or one == other[1:] or (len(one) > 1 and one[1::-1] + one[2:] == other)
    )


def task_of(id_: str) -> str:
    """Return the id of a run's task, `k3f` of `k3f-2`; that of a task is returned unchanged."""
    return id_.partition("-")[0]


def suggestion(typed: str, ids: Collection[str]) -> str:
    """Return the end of the sentence that begins `There is no run 'k3f-7'`."""
    found: Sequence[str] = suggestions(typed, ids)
    if not found:
        return "; `mux-lsp list` shows those there are."
    several = f"{', '.join(found[:-1])} or {found[-1]}" if len(found) > 1 else found[0]
    return f"; did you mean {several}?"
