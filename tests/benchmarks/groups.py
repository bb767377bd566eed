"""List the benchmarks by their names for `--only`, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import (
    actions,
    agents,
    bridge,
    compare,
    fanout,
    large,
    live,
    memory,
    neovim,
    rebase,
    results,
    start,
    vscode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.benchmarks.figures import Line
    from tests.benchmarks.sizes import Sizes

GROUPS: Mapping[str, Callable[[Sizes, Path], list[Line]]] = {
    "start": start.measure,
    "bridge": bridge.measure,
    "memory": memory.measure,
    "actions": actions.measure,
    "live": live.measure,
    "large": large.measure,
    "results": results.measure,
    "compare": compare.measure,
    "rebase": rebase.measure,
    "agents": agents.measure,
    "neovim": neovim.measure,
    "vscode": vscode.measure,
    "fanout": fanout.measure,
}
