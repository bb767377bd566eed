"""Test how much of each result the other results share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mux_lsp.core.agreement import Agreement, agreements, equal_runs
from tests.unit.core.ranked import attempt, change


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({}, {}),
        ({"x": {}}, {}),
        ({"x": {"a": 3}}, {"x": Agreement(0, 0, 0.0, 0.0)}),
        ({"x": {"a": 3}, "y": {"b": 1}}, {"x": Agreement(1, 0, 0.0, 0.0), "y": Agreement(1, 0, 0.0, 0.0)}),
        ({"x": {"a": 3}, "y": {"a": 3}}, {"x": Agreement(1, 1, 1.0, 1.0), "y": Agreement(1, 1, 1.0, 1.0)}),
        # By weight: three of its four lines. Runs that changed nothing do not count as others.
        (
            {"x": {"a": 3, "b": 1}, "y": {"a": 3}, "z": {}},
            {"x": Agreement(1, 1, 0.75, 0.75), "y": Agreement(1, 1, 1.0, 1.0)},
        ),
        # Of two others one has `a`, the other has `b`: all of it is shared, on average by half of them.
        (
            {"x": {"a": 3, "b": 1}, "y": {"a": 3}, "z": {"b": 1}},
            {"x": Agreement(2, 2, 1.0, 0.5), "y": Agreement(2, 1, 1.0, 0.5), "z": Agreement(2, 1, 1.0, 0.5)},
        ),
    ],
)
def test_agreement(results: dict[str, dict[str, int]], expected: dict[str, Agreement]) -> None:
    assert agreements(results) == expected


def test_equal_results_are_the_same_at_every_path() -> None:
    files = {
        1: (change(new="b"),),
        2: (change(new="b"), change("other", new="b")),
        3: (change(new="b"),),
        4: (change(new="c"),),
        5: (replace(change(new="b"), new_mode=0o100755),),
        6: (),
        7: (),
        8: (change(new="c"),),
    }
    assert equal_runs(attempt(number, files=made).run for number, made in files.items()) == [
        ["k3f-1", "k3f-3"],
        ["k3f-4", "k3f-8"],
    ]
