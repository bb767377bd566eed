"""Define the sizes of the benchmarks' inputs: those of the goals, or tiny ones for testing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the inputs, and the number of measurements."""

    files: int = 50_000
    """Files of the repository in which tasks are started."""
    many: int = 10
    """Runs of the larger task."""
    rounds: int = 3
    warm_singles: int = 2
    """Warm starts of one run in each round."""
    bridge_starts: int = 20
    review_runs: int = 50
    review_files: int = 20
    review_hunks: int = 10
    """Hunks in each file of each run."""
    requests: int = 500
    """Code action requests at rest, of each kind."""
    changes: int = 100
    """Changes of texts under review, of each kind."""
    live_runs: int = 100
    live_files: int = 50
    live_hunks: int = 20
    """Hunks in each file of each run."""
    live_open: int = 6
    """Documents open in each of the two clients."""
    keys: int = 150
    large_files: int = 10_000
    """Files of the result that is accepted as a whole while another client works."""
    result_files: int = 2_000
    result_rounds: int = 9
    compare_runs: int = 100
    compare_files: int = 30
    compare_rounds: int = 5
    agents: int = 100
    """Built-in agents that work at once."""
    agent_seconds: float = 12.0
    """Seconds for which each agent's model streams."""
    task_rounds: int = 5
    """Tasks of three tools, one after the other."""
    beside_claude: bool = True
    """Also measure Claude Code, which npm installs."""
    fanout_runs: int = 50
    """Runs of the task that is measured from its start to its end."""
    fanout_baseline: int = 6
    """Attempts made without mux-lsp, then scaled. An even number, since two run at a time."""
    vscode_runs: int = 100
    vscode_rounds: int = 12
    """Places that are decided one by one."""
    rebase_lines: int = 10_000
    rebase_hunks: int = 500
    rebase_edits: int = 200
    rebase_rounds: int = 15
    neovim_lines: int = 20_000
    neovim_hunks: int = 1_000
    """Pending hunks in a file of `neovim_lines` lines."""
    neovim_keys: int = 200
    neovim_starts: int = 21


TINY = Sizes(
    files=30,
    many=2,
    rounds=1,
    warm_singles=1,
    bridge_starts=2,
    review_runs=3,
    review_files=2,
    review_hunks=2,
    requests=4,
    changes=3,
    live_runs=3,
    live_files=3,
    live_hunks=2,
    live_open=2,
    keys=3,
    large_files=60,
    result_files=20,
    result_rounds=1,
    compare_runs=4,
    compare_files=3,
    compare_rounds=1,
    agents=2,
    agent_seconds=2.0,
    task_rounds=1,
    beside_claude=False,
    fanout_runs=3,
    fanout_baseline=2,
    vscode_runs=2,
    vscode_rounds=2,
    rebase_lines=300,
    rebase_hunks=10,
    rebase_edits=5,
    rebase_rounds=2,
    neovim_lines=200,
    neovim_hunks=10,
    neovim_keys=5,
    neovim_starts=2,
)
