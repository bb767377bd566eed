"""Explain an attempt's rank in sentences, for the person who chooses.

Names of tests and files, commands and opinions are shortened and put on one line. Characters that a terminal or
Markdown interprets are not escaped here; whoever shows the sentences does that.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from mux_lsp.core.grading import LITTLE_COST, LITTLE_TIME, Grade, Weights, in_steps
from mux_lsp.core.model import CheckState
from mux_lsp.core.phrases import count, few_of, listed
from mux_lsp.core.text import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.grading import Cohort, Graded
    from mux_lsp.core.model import Check

MAX_NAMED: Final = 3
"""Maximum number of tests, files or runs named in a sentence."""

MAX_NAME_CHARACTERS: Final = 80
"""Maximum length of a name in characters."""

MAX_OPINION_CHARACTERS: Final = 300
"""Maximum length in characters of a judge's opinion, and of the reason why a run did not finish."""

BEHIND: Final = {
    "tests": "fewer tests that it makes pass",
    "broken": "more tests that it breaks",
    "agreement": "less agreement with the others",
    "size": "a larger change",
    "outside": "more files outside the place asked about",
    "cost": "a higher cost",
    "time": "a longer time",
    "judge": "what the judge thinks of it",
}
"""Disadvantage of one attempt against another, by the name of the criterion."""


def reasons(one: Graded, field: Cohort, weights: Weights) -> list[str]:
    """Return the reasons for an attempt's rank among the others, the weightiest first."""
    found = [] if one.finished else [_unfinished(one)]
    if one.grade is Grade.EMPTY:
        return [*found, "Changed nothing."]
    found += _checks(one)
    found += _tests(one)
    if weights.agreement and (said := _agreement(one)):
        found.append(said)
    if weights.size and (said := _size(one, field)):
        found.append(said)
    if weights.outside and (outside := one.attempt.outside):
        found.append(f"Changes {count(len(outside), 'file')} outside the place asked about: {_paths(outside)}.")
    if alone := one.attempt.alone:
        found.append(f"Changes {count(len(alone), 'file')} that no other attempt changes: {_paths(alone)}.")
    if weights.cost and (said := _extreme(one.run.cost_usd, field.costs, LITTLE_COST, ("Cheapest", "Most expensive"))):
        found.append(f"{said}: ${one.run.cost_usd:.4f}.")
    if weights.time and (said := _extreme(one.seconds, field.seconds, LITTLE_TIME, ("Fastest", "Slowest"))):
        found.append(f"{said}: {one.seconds:.0f} seconds.")
    if weights.judge and one.attempt.opinion is not None:
        found.append(f"The judge says: {_sentence(one.attempt.opinion.words)}")
    return found


def behind(ahead: str, better: Weights, own: Weights, weights: Weights) -> str:
    """Explain why an attempt ranks behind the one ahead of it, if the checks do not distinguish them."""
    lost = {
        one.name: getattr(weights, one.name) * (getattr(better, one.name) - getattr(own, one.name))
        for one in fields(Weights)
    }
    heaviest = sorted((name for name in lost if lost[name] > 0), key=lambda name: -lost[name])[:2]
    return f"Behind {ahead} for {listed([BEHIND[name] for name in heaviest])}."


def as_good(tied: Sequence[str]) -> str:
    """Name the runs that share its rank."""
    return f"As good as {_some(tied)}."


def _unfinished(one: Graded) -> str:
    reason = f": {_line(one.run.reason, MAX_OPINION_CHARACTERS).rstrip('.')}" if one.run.reason else ""
    return f"Did not finish ({one.run.state}{reason})."


# Checks and tests


def _checks(one: Graded) -> list[str]:
    run = one.run
    meddled = _paths(run.tampered)
    if not run.effective_checks:
        return ["No check has judged it.", *([f"Changes what would judge it: {meddled}."] if meddled else [])]
    if one.grade is Grade.OWN_TESTS:
        if not run.restored_checks:
            return [f"Passes with its own version of {meddled}, and nobody knows whether without it."]
        return [f"Passes only with its own version of {meddled}.", *_failing(one, f"With {meddled} as before it f")]
    found = [*_passing(one), *_failing(one, "F")]
    if not meddled:
        return found
    if one.only_with_original_tests:
        return [f"{found[0].rstrip('.')} with {meddled} as before, but not with its own version."]
    how = "judged with that as before" if run.restored_checks else "judged by that"
    return [*found, f"Changes {meddled}, and was {how}."]


def _passing(one: Graded) -> list[str]:
    checks = one.run.effective_checks
    passed = sum(check.state is CheckState.PASSED for check in checks)
    if not passed:
        return []
    if passed < len(checks):
        return [f"Passes {passed} of {len(checks)} checks."]
    return [{1: "Passes the check.", 2: "Passes both checks."}.get(passed, f"Passes all {passed} checks.")]


def _failing(one: Graded, begin: str) -> list[str]:
    found = []
    silent = [check for check in one.new_failures if check.missing_report]
    blamed = [check for check in one.new_failures if not check.missing_report]
    for checks, end in (
        (silent, ", with a good end but not a word of its tests, of which it tells on the snapshot"),
        ([check for check in blamed if check.baseline_state is CheckState.PASSED], ", which the snapshot passes"),
        (
            [check for check in blamed if check.baseline_state is CheckState.FAILED],
            " with no report of its tests, and the snapshot has one",
        ),
        ([check for check in blamed if check.baseline_state not in {CheckState.PASSED, CheckState.FAILED}], ""),
        (one.preexisting_failures, ", as the snapshot does"),
    ):
        if checks:
            found.append(f"{begin}ails {_commands(checks)}{end}.")
    return found


def _tests(one: Graded) -> list[str]:
    found = []
    tests = [check.tests for check in one.run.effective_checks if check.tests is not None]
    if one.broken:
        names = _named([name for report in tests for name in report.names_failing], one.broken)
        found.append(f"Breaks {count(one.broken, 'test')}{names}.")
    if one.fixed:
        # The names would include tests that it added itself.
        names = "" if one.added else _named([name for report in tests for name in report.names_passing], one.fixed)
        verb = "passes that failed" if one.fixed == 1 else "pass that failed"
        found.append(f"{count(one.fixed, 'test')} {verb} before{names}.")
    if one.added:
        found.append(f"Adds {count(one.added, 'test')} of its own.")
    return found


# Comparisons


def _agreement(one: Graded) -> str:
    equal, agreement = one.attempt.equal, one.attempt.agreement
    if equal:
        return f"Has the same result as {_some(equal)}."
    if not agreement.total:
        return ""
    others = f"the {agreement.total} others" if agreement.total > 1 else "the other"
    if not agreement.sharing:
        return f"Has nothing in common with {others}."
    part = "all" if agreement.shared == 1 else f"{min(99, max(1, round(agreement.shared * 100)))}%"
    who = f"{agreement.sharing} of {others}" if agreement.total > 1 else others
    return f"Shares {part} of its lines with {who}."


def _size(one: Graded, field: Cohort) -> str:
    least, most = field.lines[0], field.lines[-1]
    added = sum(change.lines_added or 0 for change in one.run.files)
    removed = sum(change.lines_removed or 0 for change in one.run.files)
    lines = f"+{added} −{removed}"  # noqa: RUF001  a minus sign
    if least == most:
        return ""
    if one.lines == least:
        which = "smallest"
    elif one.lines == most and most >= 2 * least:
        which = "largest"
    else:
        return ""
    alone = field.lines.count(one.lines) == 1
    return f"{f'{which.title()} change' if alone else f'One of the {which} changes'} of {len(field.lines)}: {lines}."


def _extreme(own: float | None, known: Sequence[float], little: float, words: tuple[str, str]) -> str:
    """Describe the smallest and the largest figure, if the difference counts; "" for any other."""
    if own is None or in_steps(known[-1], known, little) == 1:
        return ""
    best, worst = words
    for word, figure in ((best, known[0]), (worst, known[-1])):
        if own == figure and known.count(figure) == 1:
            return f"{word} of {len(known)}"
    return ""


# Words


def _line(words: str, longest: int = MAX_NAME_CHARACTERS) -> str:
    line = " ".join(words.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _sentence(words: str) -> str:
    line = _line(words, MAX_OPINION_CHARACTERS)
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def _some(names: Iterable[str], total: int = 0) -> str:
    return few_of(list(names), MAX_NAMED, total)


def _named(names: Sequence[str], total: int) -> str:
    return f": {_some(map(_line, names), total)}" if names else ""


def _paths(paths: Iterable[str]) -> str:
    return _some(_line(shown_path(path)) for path in paths)


def _commands(checks: Sequence[Check]) -> str:
    return _some(f"`{_line(check.command)}`" for check in checks)
