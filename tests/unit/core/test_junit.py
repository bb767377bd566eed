"""Test JUnit reports: as runners write them, and malformed ones."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core import junit
from mux_lsp.core.junit import Report
from mux_lsp.core.model import MAX_TESTS_NAMED

PYTEST = b"""<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0"
failures="1" skipped="1" tests="4" time="0.1"><testcase classname="tests.test_a.TestX" name="test_one[1-a]" time="0.0"/>
<testcase classname="tests.test_a" name="test_two"><failure message="assert 1 == 2">a &lt; b &#10; <!-- x --></failure>
</testcase><testcase classname="tests.test_a" name="test_three"><skipped type="pytest.skip" message="no"/></testcase>
<testcase classname="" name="tests.test_b"><error message="collection failure">boom</error></testcase></testsuite>
</testsuites>"""
JEST = b"""<testsuites><testsuite name="sum"><testcase classname="sum adds" name="sum adds"><system-out/></testcase>
<testcase classname="sum adds" name="fails"><failure>x</failure><system-out>y</system-out></testcase></testsuite>
</testsuites>"""
NAMESPACED = b'<testsuite xmlns="urn:x"><properties><property name="a"/></properties><testcase name="t"/></testsuite>'
GTEST = b'<testsuites><testsuite><testcase name="t" status="notrun" classname="S"/></testsuite></testsuites>'


def report(passed: str = "", failed: str = "", skipped: str = "") -> Report:
    return Report(*(frozenset(filter(None, names.split(","))) for names in (passed, failed, skipped)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            PYTEST,
            report("tests.test_a.TestX.test_one[1-a]", "tests.test_a.test_two,tests.test_b", "tests.test_a.test_three"),
        ),
        (JEST, report("sum adds.sum adds", "sum adds.fails")),
        (NAMESPACED, report("t")),
        (GTEST, report(skipped="S.t")),
        (b"<testsuites/>", report()),
        (b"<testsuite><testcase/></testsuite>", report("a test")),
        # Of several results with one name the worst counts; a failure outside of any test belongs to no test.
        (b'<testsuite><testcase name="t"><error/></testcase><testcase name="t"/></testsuite>', report(failed="t")),
        (b'<testsuite><testcase name="t"/><testcase name="t"><skipped/></testcase></testsuite>', report(skipped="t")),
        (b'<testsuite><failure/><testcase name="t"/></testsuite>', report("t")),
        ('<testsuite><testcase name="\u202eevil&#9;tab"/></testsuite>'.encode(), report("\ufffdevil\ufffdtab")),
        ('<?xml version="1.0" encoding="utf-16"?><testsuite/>'.encode("utf-16"), report()),
    ],
)  # fmt: skip
def test_what_a_report_says(data: bytes, expected: Report) -> None:
    assert junit.read(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no XML", b"<html><testcase name='t'/></html>", PYTEST[:-20], PYTEST + b"<again/>",
        b"<?xml version='1.0' encoding='utf-9'?><testsuite/>",
        b"<!DOCTYPE testsuite><testsuite/>",
        b'<!DOCTYPE t [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>',
        b'<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuite/>',
        b"<testsuite><testcase name='&undefined;'/></testsuite>",
        b"\xff\xfe<testsuite/>",
    ],
)  # fmt: skip
def test_what_is_no_report(data: bytes) -> None:
    assert junit.read(data) is None


def test_more_tests_than_anybody_has_are_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "MAX_TESTS", 2)
    cases = "".join(f'<testcase name="{number}"/>' for number in range(3))
    assert junit.read(f"<testsuite>{cases}</testsuite>".encode()) is None


def test_elements_without_end_in_each_other_are_no_report() -> None:
    deep = b"<testsuite>" + b"<a>" * 99 + b"<testcase/>" + b"</a>" * 99 + b"</testsuite>"
    assert junit.read(deep.replace(b"<testcase/>", b"")) == report()
    assert junit.read(deep) is None


def test_of_a_long_name_the_end_is_kept() -> None:
    (name,) = junit.read(f'<testsuite><testcase name="{"a" * 400}b"/></testsuite>'.encode()).passed  # type: ignore[union-attr]  # it is one
    assert (len(name), name[0], name[-1]) == (junit.MAX_NAME_CHARACTERS, "…", "b")


@given(st.binary())
def test_nothing_raises(data: bytes) -> None:
    junit.read(data)
    junit.read(b"<testsuite>" + data + b"</testsuite>")


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=5)


@given(st.dictionaries(names, st.sampled_from(["", "<failure/>", "<error/>", "<skipped/>"])))
def test_every_test_is_counted_once(tests: dict[str, str]) -> None:
    cases = "".join(f"<testcase name={quoteattr(name)}>{inner}</testcase>" for name, inner in tests.items())
    found = junit.read(f"<testsuite>{cases}</testsuite>".encode())
    assert found is not None
    assert found.passed == {name for name, inner in tests.items() if not inner}
    assert found.skipped == {name for name, inner in tests.items() if inner == "<skipped/>"}
    assert found.passed | found.failed | found.skipped == set(tests)


def test_tests_are_told_apart_from_those_before() -> None:
    before = report("stays,breaks,goes,is skipped", "fixed,still fails", "was skipped")
    now = report("stays,fixed,was skipped,new", "breaks,still fails,new failing", "is skipped")
    tests = junit.compare(now, before)
    assert (tests.passed, tests.failed, tests.skipped) == (4, 3, 1)
    assert tests.names_passing == ("fixed", "new", "was skipped")
    assert (tests.newly_passing, tests.added) == (3, 1)
    assert tests.names_failing == ("breaks", "goes", "is skipped")
    assert tests.newly_failing == 3
    alone = junit.compare(now, None)
    assert (alone.passed, alone.newly_passing, alone.added, alone.newly_failing) == (4, 0, 0, 0)


def test_only_so_many_are_named() -> None:
    many = report(",".join(f"{number:03}" for number in range(MAX_TESTS_NAMED + 5)))
    tests = junit.compare(many, report())
    assert (tests.newly_passing, tests.added, len(tests.names_passing)) == (
        MAX_TESTS_NAMED + 5,
        MAX_TESTS_NAMED + 5,
        MAX_TESTS_NAMED,
    )
    assert len(junit.compare(report(), many).names_failing) == MAX_TESTS_NAMED
