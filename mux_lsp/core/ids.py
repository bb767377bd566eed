"""The ids of tasks and runs as people type them: in part, with a slip, in capitals. A task is `k3f`, a run `k3f-2`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

NAMED: Final = 3
"""So many ids are named at the most where one is not known."""


def resolve(typed: str, ids: Collection[str]) -> str | None:
    """The one id that somebody means: it itself, or the only one that begins so, runs with runs and tasks with tasks.

    Of a run the number must be whole.
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
    """The ids that somebody may have meant who typed this: those that begin so, or that are one slip away."""
    wanted = typed.lower()
    alike = [one for one in ids if ("-" in one) == ("-" in wanted)]
    begin = [one for one in alike if wanted and one.startswith(wanted)]
    return tuple(sorted(begin or [one for one in alike if _is_slip(wanted, one)], key=_order)[:NAMED])


def _order(one: str) -> tuple[str, int, str]:
    task, _, number = one.partition("-")
    return task, len(number), number


def _is_slip(typed: str, meant: str) -> bool:
    """Whether one character is wrong, missing or too much, or two that stand together have changed places."""
    start = 0
    while start < min(len(typed), len(meant)) and typed[start] == meant[start]:
        start += 1
    one, other = typed[start:], meant[start:]
    return (
        one[1:] == other[1:] or one[1:] == other or one == other[1:] or (len(one) > 1 and one[1::-1] + one[2:] == other)
    )


def task_of(id_: str) -> str:
    """Return the id of a run's task, `k3f` of `k3f-2`; that of a task is returned as it is."""
    return id_.partition("-")[0]


def suggestion(typed: str, ids: Collection[str]) -> str:
    """What to say behind `There is no run 'k3f-7'`."""
    found: Sequence[str] = suggestions(typed, ids)
    if not found:
        return "; `mux-lsp list` shows those there are."
    several = f"{', '.join(found[:-1])} or {found[-1]}" if len(found) > 1 else found[0]
    return f"; did you mean {several}?"
