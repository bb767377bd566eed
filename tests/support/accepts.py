"""Write to a working tree as an accept does, step by step, without a daemon."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mux_lsp import faults
from mux_lsp.core.transaction import Intent
from mux_lsp.engine.working_tree import staging
from mux_lsp.engine.working_tree.steps import State, Steps
from mux_lsp.engine.working_tree.tree import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mux_lsp.engine.working_tree.disk import Write

NAME = "test-1"

T = TypeVar("T")


@dataclass
class Accept:
    """An accept whose files are staged."""

    root: Path
    intent: Intent

    @classmethod
    def stage(cls, root: Path, writes: Sequence[Write], name: str = NAME) -> Accept:
        with opened(root) as tree:
            plan = staging.stage(tree, name, writes)
            return cls(
                root,
                Intent(name, str(root), tree.identity, "k3f-1", "a test", plan.steps, plan.stages, plan.modes),
            )

    def write(self) -> None:
        """Write all of it, or nothing."""
        try:
            self._do(Steps.write_all)
        except BaseException:
            self.undo()
            raise

    def undo(self) -> list[str]:
        kept = self._do(Steps.undo_all)
        self.clear()
        return kept

    def clear(self) -> None:
        with opened(self.root) as tree:
            staging.remove(tree, NAME, self.intent.stages)

    def states(self) -> list[State]:
        return self._do(lambda steps: [steps.state(number) for number in range(len(self.intent.steps))])

    def _do(self, what: Callable[[Steps], T]) -> T:
        with opened(self.root) as tree, staging.staged(tree, NAME, self.intent.stages) as folders:
            return what(Steps(tree, self.intent, folders))


def write_all(root: Path, writes: Sequence[Write]) -> None:
    """Stage and write everything, or nothing."""
    accept = Accept.stage(root, writes)
    accept.write()
    accept.clear()


@contextmanager
def at(point: str, act: Callable[[int], None]) -> Iterator[None]:
    """Call `act` with the step number each time the code passes the point."""
    faults.install(lambda name, number: act(number) if name == point else None)
    try:
        yield
    finally:
        faults.install(None)
