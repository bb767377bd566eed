"""Describe the results of a benchmark: figures beside a baseline of the same run, and whether they meet the goal."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Unit = Literal["seconds", "bytes"]


@dataclass(frozen=True, slots=True)
class Goal:
    """The maximum of a line's ratio, or of its own figure, as `of` selects."""

    limit: float
    of: Literal["ratio", "measured"] = "ratio"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure beside that of its baseline. `group` is the name for `--only`."""

    group: str
    name: str
    measured: float
    baseline: str
    baseline_measured: float
    goal: Goal | None = None
    unit: Unit = "seconds"
    note: str = ""

    @property
    def ratio(self) -> float:
        """This figure in multiples of the baseline's; small is good."""
        return self.measured / self.baseline_measured

    @property
    def met(self) -> bool | None:
        """True if the goal is met; None without a goal."""
        if self.goal is None:
            return None
        return (self.ratio if self.goal.of == "ratio" else self.measured) <= self.goal.limit

    def shape(self) -> dict[str, Any]:
        """Return the line for a JSON file. Times are in seconds, sizes in bytes."""
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


def table(lines: Iterable[Line], where: str) -> Table:
    """Return the lines for a person to read. `where` names the machine."""
    made = Table(
        title=f"mux-lsp beside its baselines, measured in this run {where}", title_justify="left", row_styles=["", ""]
    )
    for name, justify in (("what", "left"), ("mux-lsp", "right"), ("baseline", "left"), ("", "right"),
                          ("ratio", "right"), ("goal", "right"), ("verdict", "left")):  # fmt: skip
        made.add_column(
            name, justify="right" if justify == "right" else "left", no_wrap=name not in {"what", "baseline"}
        )
    group = None
    for line in lines:
        if group not in {None, line.group}:
            made.add_section()
        group = line.group
        made.add_row(
            f"{line.name} [dim]({line.note})[/]" if line.note else line.name,
            quantity(line.measured, line.unit),
            line.baseline,
            quantity(line.baseline_measured, line.unit),
            ratio(line.ratio),
            _goal(line),
            {None: "", True: "[green]met[/]", False: "[bold red]missed[/]"}[line.met],
        )
    return made


def _goal(line: Line) -> str:
    if line.goal is None:
        return "–"  # noqa: RUF001  a dash
    limit = line.goal.limit
    return f"≤ {ratio(limit) if line.goal.of == 'ratio' else quantity(limit, line.unit)}"


def ratio(value: float) -> str:
    """Return a ratio with its significant digits."""
    return f"{value:.0f}×" if value >= 10 else f"{value:.2f}×" if value >= 0.095 else f"{value:.3f}×"  # noqa: RUF001


def quantity(value: float, unit: Unit) -> str:
    """Return a time or a size in readable units."""
    if unit == "bytes":
        return f"{value / 1e6:.1f} MB"
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.1f} ms" if value >= 1e-3 else f"{value * 1e6:.0f} µs"


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample that a share (0 to 1) of all samples do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(samples: Sequence[float]) -> float:
    """Return the middle of the samples."""
    return statistics.median(samples)
