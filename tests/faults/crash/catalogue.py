"""List all operations that are enumerated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.crash.accepting import ACCEPTING
from tests.faults.crash.operations import OPERATIONS

if TYPE_CHECKING:
    from tests.faults.crash.operations import Operation

ALL: dict[str, Operation] = {one.name: one for one in (*OPERATIONS, *ACCEPTING)}


def find(name: str) -> Operation:
    """Return an operation by its name."""
    return ALL[name]
