"""Read JUnit XML reports of test runners, and compare two reports of one check.

A report is a file that a test run left behind, so it is trusted only for its own tests: a document type, and with it
every entity, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from mux_lsp.core.model import MAX_TESTS_NAMED, Tests

MAX_TESTS: Final = 200_000
"""Maximum number of tests in a report. A longer one is refused."""

MAX_DEPTH: Final = 100
"""Maximum nesting of elements. A deeper report is refused: elements take memory until they end, maybe gigabytes."""

MAX_NAME_CHARACTERS: Final = 300
"""Maximum length of a test's name in characters. The end is kept, where names differ."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tests that a check ran, by name. A name that occurs several times has the worst of its outcomes."""

    passed: frozenset[str]
    failed: frozenset[str]
    skipped: frozenset[str]


class _RefusedError(Exception):
    """The document is XML, but not a report that we accept."""


def read(data: bytes) -> Report | None:
    """Return the report in a JUnit XML file, or None if it is not one."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError, _RefusedError):
        return None
    return reader.report() if reader.is_report else None


def compare(now: Report, before: Report | None) -> Tests:
    """Return a report's counts, compared with those of the same check on the snapshot if there are any."""
    passing = frozenset[str]() if before is None else now.passed - before.passed
    failing = frozenset[str]() if before is None else before.passed - now.passed
    return Tests(
        passed=len(now.passed),
        failed=len(now.failed),
        skipped=len(now.skipped),
        newly_passing=len(passing),
        added=0 if before is None else len(passing - before.failed - before.skipped),
        newly_failing=len(failing),
        names_passing=tuple(sorted(passing)[:MAX_TESTS_NAMED]),
        names_failing=tuple(sorted(failing)[:MAX_TESTS_NAMED]),
    )


def _refuse(*_: object) -> None:
    raise _RefusedError


class _Reader:
    """Collect the test cases of a document while it is parsed."""

    def __init__(self) -> None:
        self.is_report = False
        self._outcomes: dict[str, int] = {}
        self._open: str | None = None
        self._outcome = _PASSED
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _RefusedError
        name = name.rpartition(" ")[2]
        if name in {"testsuites", "testsuite"}:
            self.is_report = True
        elif name == "testcase":
            self._open = _name(attributes)
            # Some writers state the outcome in an attribute.
            self._outcome = _ATTRIBUTED.get(attributes.get("status", ""), _PASSED)
        elif self._open is not None:
            self._outcome = max(self._outcome, _OUTCOMES.get(name, _PASSED))

    def end(self, name: str) -> None:
        self._depth -= 1
        if name.rpartition(" ")[2] != "testcase" or self._open is None:
            return
        self._outcomes[self._open] = max(self._outcome, self._outcomes.get(self._open, _PASSED))
        self._open = None
        if len(self._outcomes) > MAX_TESTS:
            raise _RefusedError

    def report(self) -> Report:
        by_outcome: dict[int, list[str]] = {_PASSED: [], _SKIPPED: [], _FAILED: []}
        for name, outcome in self._outcomes.items():
            by_outcome[outcome].append(name)
        return Report(*(frozenset(by_outcome[outcome]) for outcome in (_PASSED, _FAILED, _SKIPPED)))


_PASSED, _SKIPPED, _FAILED = range(3)
"""Outcomes from the best to the worst."""

_OUTCOMES: Final = {"failure": _FAILED, "error": _FAILED, "skipped": _SKIPPED, "disabled": _SKIPPED}
_ATTRIBUTED: Final = {
    "failed": _FAILED,
    "error": _FAILED,
    "skipped": _SKIPPED,
    "notrun": _SKIPPED,
    "disabled": _SKIPPED,
}


def _name(attributes: dict[str, str]) -> str:
    parts = [part for part in (attributes.get("classname"), attributes.get("name")) if part]
    name = "".join(character if character.isprintable() else "\ufffd" for character in ".".join(parts)) or "a test"
    return name if len(name) <= MAX_NAME_CHARACTERS else f"…{name[1 - MAX_NAME_CHARACTERS :]}"
