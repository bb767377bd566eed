"""Write the page that compares a task's runs, as Markdown: ranks and reasons, files by runs, places that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mux_lsp.core.phrases import count, few_with_commas
from mux_lsp.lsp.commands.compare import gist
from mux_lsp.lsp.pages.run_page import shortened
from mux_lsp.lsp.wire import markdown
from mux_lsp.lsp.wire.uris import Address, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mux_lsp.core.model import Hunk
    from mux_lsp.lsp.protocol import (
        CheckResult,
        ComparedChange,
        ComparedFile,
        ComparedPlace,
        RankedRun,
        RunShape,
        TaskCompareResult,
    )

MAX_HUNKS: Final = 200
"""Maximum number of hunks of one file that are named."""

MAX_PLACES: Final = 50
"""Maximum number of places of one file at which runs differ."""

MAX_COLUMNS: Final = 20
"""Maximum number of runs in the table of files and runs, the best ones."""

MAX_LINES: Final = 20
"""Maximum number of removed, and of added, lines of a variant."""

MAX_NAMED_RUNS: Final = 10
"""Maximum number of runs named in one cell."""


def page(prompt: str, compared: TaskCompareResult, hunks: Mapping[str, Hunk]) -> str:
    """Return the whole page. `hunks` has the hunks of the compared files by their ids."""
    ranking = {one.run: one for one in compared.ranking}
    runs = sorted(compared.task.runs, key=lambda run: ranking[run.id].rank if run.id in ranking else len(ranking) + 1)
    parts = [f"# {compared.task.id}", "## Prompt", shortened(prompt), "## Runs", _runs(runs, ranking)]
    parts += [f"{_named(group)} have the same result." for group in compared.equal]
    if compared.ranking:
        # As code, because the reasons contain names of tests and files, and the words of an LLM judge.
        reasons = [f"- {_rank(one)} {one.run}: {markdown.code(' '.join(one.reasons))}" for one in compared.ranking]
        parts += ["## Why", "\n".join(reasons)]
        parts.append(f"Agreement and cost as a plot: `{Address(Kind.PLOT, compared.task.id).uri}`")
    if compared.files:
        parts += ["## Files", *_matrix(compared.files, runs)]
    for file in compared.files:
        parts += _file(file, sum(run.discarded is None for run in runs), hunks)
    if compared.more:
        parts.append(f"… and {count(compared.more, 'more file')}.")
    return "\n\n".join(parts) + "\n"


def _runs(runs: Sequence[RunShape], ranking: Mapping[str, RankedRun]) -> str:
    headers = ("rank", "run", "agent", "state", "checks", "tests", "files", "lines", "agreement", "cost", "worked")
    return markdown.table(headers, [_run(run, ranking.get(run.id)) for run in runs])


def _run(run: RunShape, ranked: RankedRun | None) -> Sequence[str]:
    agent = f"{run.agent}:{run.model}" if run.model else run.agent
    state = "discarded" if run.discarded is not None else run.state
    lines = f"+{run.added} −{run.removed}" if run.file_count else ""  # noqa: RUF001  a minus sign
    cost = "" if run.cost_usd is None else f"${run.cost_usd:.4f}"
    own = run.id, markdown.code(agent), state
    if ranked is None:
        return "", *own, _checks(run.checks), "", str(run.file_count), lines, "", cost, ""
    reported = any(check.tests is not None for check in run.restored_checks or run.checks)
    tests = f"+{ranked.fixed} −{ranked.broken}" if reported else ""  # noqa: RUF001  a minus sign
    checks = "only with its own tests" if ranked.grade == "own_tests" else _checks(run.restored_checks or run.checks)
    agreement = f"{ranked.agreement:.0%}" if ranked.total and run.file_count else ""
    seconds = "" if ranked.seconds is None else f"{ranked.seconds:.1f} s"
    return _rank(ranked), *own, checks, tests, str(run.file_count), lines, agreement, cost, seconds


def _rank(one: RankedRun) -> str:
    return f"{one.rank}{'=' if one.tied else ''}"


def _checks(checks: Sequence[CheckResult]) -> str:
    if any(check.state == "running" for check in checks):
        return "running"
    passed = sum(check.state == "passed" for check in checks)
    return f"{passed} of {len(checks)} passed" if checks else ""


def _matrix(files: Sequence[ComparedFile], runs: Sequence[RunShape]) -> list[str]:
    """Return a table of each run's change to each file."""
    changing = [run.id for run in runs if any(run.id in file.changes for file in files)]
    across = changing[:MAX_COLUMNS]
    rows = [(markdown.code(file.path), *(_lines(file.changes.get(run)) for run in across)) for file in files]
    left = len(changing) - len(across)
    more = [f"… and {count(left, 'more run')}."] if left else []
    return [markdown.table(("file", *across), rows), *more]


def _lines(change: ComparedChange | None) -> str:
    if change is None:
        return ""
    kind = {"added": "new ", "deleted": "gone ", "renamed": "moved ", "copied": "copy "}.get(change.change, "")
    if change.added is None:
        return f"{kind}not text"
    return f"{kind}+{change.added} −{change.removed}"  # noqa: RUF001  a minus sign


def _file(file: ComparedFile, of: int, hunks: Mapping[str, Hunk]) -> list[str]:
    parts = [f"### {markdown.code(file.path)}", f"Changed by {len(file.runs)} of {count(of, 'run')}."]
    for path, runs in file.renamed.items():
        parts.append(f"{_named(runs)}: renamed to {markdown.code(path)}.")
    shared = sorted(file.hunks.items(), key=lambda entry: -len(entry[1]))
    if shared:
        found = [
            (f"`{hunk}`", f"{len(runs)}/{of}", _named(runs), *_gist(hunks.get(hunk)))
            for hunk, runs in shared[:MAX_HUNKS]
        ]
        parts.append(markdown.table(("hunk", "agreement", "runs", "lines", "begins"), found))
    if len(shared) > MAX_HUNKS:
        parts.append(f"… and {count(len(shared) - MAX_HUNKS, 'more hunk')}.")
    differing = [place for place in file.places if place.differs]
    for place in differing[:MAX_PLACES]:
        parts += _place(place, of, hunks)
    if len(differing) > MAX_PLACES:
        parts.append(f"… and {count(len(differing) - MAX_PLACES, 'more place')} where runs differ.")
    return parts


def _place(place: ComparedPlace, of: int, hunks: Mapping[str, Hunk]) -> list[str]:
    """Return a place where runs differ, with each of its variants as a diff."""
    if place.end > place.start + 1:
        where = f"Lines {place.start + 1} to {place.end}"
    else:
        where = f"Line {place.start + 1}" if place.end > place.start else f"Before line {place.start + 1}"
    parts = [f"#### {where}"]
    for variant in place.variants:
        hunk = hunks.get(variant.hunk)
        if hunk is not None:
            lines = [*_signed("-", hunk.removed), *_signed("+", hunk.added)]
            who = f"{_named(variant.runs)} ({len(variant.runs)}/{of}):"
            parts += [who, markdown.fenced("\n".join(lines), "diff")]
    return parts


def _signed(sign: str, lines: Sequence[str]) -> list[str]:
    shown = [f"{sign}{line}".rstrip("\r\n") for line in lines[:MAX_LINES]]
    more = len(lines) - len(shown)
    return [*shown, *([f"{sign}… and {count(more, 'more line')}"] if more else [])]


def _gist(hunk: Hunk | None) -> tuple[str, str]:
    """Return the number of lines that a hunk adds and removes, and its first line that is not trivial."""
    if hunk is None:
        return "", ""
    size = f"+{len(hunk.added)} −{len(hunk.removed)}"  # noqa: RUF001  a minus sign
    return size, markdown.code(gist(hunk))


def _named(runs: Sequence[str]) -> str:
    return few_with_commas(runs, MAX_NAMED_RUNS)
