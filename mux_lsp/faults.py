"""Named points of the code at which a test makes something fail.

A point does nothing unless a test has installed a plan in the same process. No variable, file or argument installs
one: a program that is not a test cannot reach this.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Plan = Callable[[str, int], None]
    """Gets the name of a point and how far a series of its kind has come. May raise, wait, or end the process."""

_plan: Plan | None = None


def fault(name: str, number: int = 0) -> None:
    """Pass a point. `number` tells the steps of a series apart: the third file of an accept is 2."""
    if _plan is not None:
        _plan(name, number)


def install(plan: Plan | None) -> None:
    """Have a test's plan called at every point from now on, or with None at none."""
    global _plan  # noqa: PLW0603  (one process has one plan)
    _plan = plan
