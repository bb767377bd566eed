"""Test that every line of the benchmarks can be measured and is in the table. No time is asserted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks.figures import Goal, Line, percentile, quantity, ratio, table
from tests.benchmarks.groups import GROUPS

EXPECTED = {
    "start": ["cold start of 1", "cold start of 2", "warm start of 1", "warm start of 2"],
    "bridge": ["`mux-lsp serve`"],
    "memory": ["daemon, idle", "daemon, 3 runs × 2 files × 2 hunks"],  # noqa: RUF001  a times sign
    "actions": [
        f"code action{behind}, {where}, {share}"
        for where in ("each run at places of its own", "all 3 runs at one place")
        for behind in ("", " behind a keystroke")
        for share in ("p50", "p99")
    ],
    "live": [
        *(f"a key to new code lenses, 3 runs × 3 files × 2 hunks, {share}" for share in ("p50", "p99")),  # noqa: RUF001
        "daemon, 3 runs × 3 files × 2 hunks under review",  # noqa: RUF001
    ],
    "large": [*(f"code action while 60 files are accepted, {share}" for share in ("p50", "p99")), "accepting 60 files"],
    "results": ["a whole result of 20 files", "a whole result of 20 files"],
    "compare": [f"{what} of 4 runs × 3 files" for what in ("ranking", "ranking", "comparison")],  # noqa: RUF001
    "fanout": [f"a task of 3 runs, {home}" for home in ("cold", "cold", "warm", "warm")],
    "rebase": ["rebase of 10 hunks", "diff and rebase of 10 hunks"],
    "agents": [
        "processor of the daemon, 2 built-in agents × 50 events a second",  # noqa: RUF001
        "daemon, 2 built-in agents × 50 events a second",  # noqa: RUF001
        *(f"a piece of text to a client, 2 built-in agents × 50 events a second, {share}" for share in ("p50", "p99")),  # noqa: RUF001
        "a task of three tools, built-in agent through the daemon",
    ],
    "neovim": [
        "added to the start of Neovim",
        *(f"a key to the screen, 10 changes in 200 lines, {share}" for share in ("p50", "p99")),
        "Neovim with 10 changes in 200 lines",
    ],
    "vscode": [
        "activation, as VS Code reports it",
        "the extension's package",
        "the extension's bundle",
        *(f"mux/reviewChanged to lenses on the screen, 2 runs under review, {share}" for share in ("p50", "p99")),
    ],
}
GOALS = {
    "start": [Goal(1.2), Goal(1.2), Goal(0.1), None],
    "bridge": [Goal(2.5)],
    "memory": [None, None],
    "actions": [None, Goal(0.010, "measured")] * 4,
    "live": [None, Goal(0.100, "measured"), None],
    "large": [None, Goal(0.100, "measured"), None],
    "results": [Goal(1.5), None],
    "compare": [None, None, Goal(0.200, "measured")],
    "fanout": [Goal(0.1), None] * 2,
    "rebase": [Goal(1.0), None],
    "agents": [Goal(1.0), Goal(250e6, "measured"), None, Goal(0.050, "measured"), None],
    "neovim": [Goal(0.002, "measured"), Goal(1.2), None, None],
    "vscode": [Goal(0.050, "measured"), Goal(1.0), None, None, None],
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments], cwd=root, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "group", [pytest.param(one, marks=pytest.mark.timeout(900)) if one == "vscode" else one for one in GROUPS]
)
def test_every_line_of_a_group_is_measured_and_nothing_is_left_behind(group: str, tmp_path: Path) -> None:
    work, figures = tmp_path / "work", tmp_path / "figures.json"
    work.mkdir()
    done = bench("--tiny", "--only", group, "--folder", str(work), "--json", str(figures))
    assert done.returncode == 0, done.stderr
    lines = json.loads(figures.read_text())["lines"]
    assert [line["name"][: len(name)] for line, name in zip(lines, EXPECTED[group], strict=True)] == EXPECTED[group]
    found = [line["goal"] and Goal(**line["goal"]) for line in lines]
    assert found == GOALS[group]
    assert {line["group"] for line in lines} == {group}
    for line in lines:
        assert line["ratio"] == pytest.approx(line["measured"] / line["baseline_measured"])
        # The added cost may be too small to measure.
        assert line["ratio"] > 0 or line["name"].startswith("added")
        assert line["baseline"] in " ".join(done.stdout.split()), "the table names each baseline"
    assert list(work.iterdir()) == []


def test_an_unknown_group_is_refused_with_those_there_are() -> None:
    done = bench("--only", "nonsense")
    assert done.returncode == 2
    assert "'start', 'bridge', 'memory', 'actions', 'live', 'large', 'results', 'compare', 'rebase'" in done.stderr


@pytest.mark.parametrize(
    ("measured", "goal", "shown"),
    [
        (0.30, Goal(0.1), ["300.0 ms", "0.15×", "≤ 0.10×", "missed"]),  # noqa: RUF001
        (0.20, Goal(0.1), ["200.0 ms", "0.10×", "≤ 0.10×", "met"]),  # noqa: RUF001
        (0.02, Goal(0.1), ["20.0 ms", "0.010×", "met"]),  # noqa: RUF001
        (24.0, Goal(1.2), ["24.00 s", "12×", "≤ 1.20×", "missed"]),  # noqa: RUF001
        (0.011, Goal(0.010, "measured"), ["11.0 ms", "≤ 10.0 ms", "missed"]),
        (0.009, Goal(0.010, "measured"), ["9.0 ms", "≤ 10.0 ms", "met"]),
        (0.011, None, ["11.0 ms", "–"]),  # noqa: RUF001
    ],
)
def test_the_table_says_whether_a_goal_is_met(measured: float, goal: Goal | None, shown: list[str]) -> None:
    text = printed(Line("group", "the thing", measured, "the other thing", 2.0, goal))
    for words in ("the thing", "the other thing", "2.00 s", *shown):
        assert words in text
    wrong = {"met", "missed"} - set(shown)
    assert not wrong & set(text.split())


def test_a_size_is_shown_as_one() -> None:
    text = printed(Line("memory", "daemon", 60e6, "bare", 40e6, unit="bytes", note="its own share 50.0 MB"))
    for words in ("60.0 MB", "40.0 MB", "1.50×", "(its own share 50.0 MB)", "in the garden"):  # noqa: RUF001
        assert words in text


@pytest.mark.parametrize(
    ("samples", "share", "expected"),
    [([1.0], 0.99, 1.0), ([3.0, 1.0, 2.0], 0.5, 2.0), ([float(n) for n in range(100)], 0.99, 99.0)],
)
def test_percentile(samples: list[float], share: float, expected: float) -> None:
    assert percentile(samples, share) == expected


def test_small_figures_keep_their_digits() -> None:
    assert [quantity(0.000250, "seconds"), ratio(0.0512), ratio(9.994)] == ["250 µs", "0.051×", "9.99×"]  # noqa: RUF001


def printed(line: Line) -> str:
    output = io.StringIO()
    Console(file=output, width=160).print(table([line], "in the garden"))
    return output.getvalue()
