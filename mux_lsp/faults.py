"""Define crash points: named points of the code at which a test makes something fail.

A point does nothing unless a test has installed a plan in the same process. No variable, file or argument installs a
plan, so a program that is not a test cannot use this.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Plan = Callable[[str, int], None]
    """A function of the name of a point and the number of the step in a series. May raise, wait, or end the process."""

_plan: Plan | None = None


def fault(name: str, number: int = 0) -> None:
    """Pass a point. `number` distinguishes the steps of a series: the third file of an accept is 2."""
    if _plan is not None:
        _plan(name, number)


def install(plan: Plan | None) -> None:
    """Call a test's plan at every point from now on; None removes the plan."""
    global _plan  # noqa: PLW0603  (one process has one plan)
    _plan = plan
