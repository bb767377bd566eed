"""Test ids as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.ids import resolve, suggestion, suggestions, task_of

IDS = ("k3f", "k3f-1", "k3f-2", "k3f-10", "b44", "b44-1", "b4x", "b4x-1")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("k3f", "k3f"),
        ("K3F", "k3f"),
        ("k", "k3f"),
        ("k3", "k3f"),
        ("b4", None),
        ("b4x", "b4x"),
        ("k3f-1", "k3f-1"),
        ("K3f-1", "k3f-1"),
        ("k3-1", "k3f-1"),
        ("k-10", "k3f-10"),
        ("k3f-", None),
        ("k3f-3", None),
        ("b4-1", None),
        ("-1", None),
        ("-", None),
        ("", None),
        ("zzz", None),
    ],
)
def test_what_is_meant(typed: str, found: str | None) -> None:
    assert resolve(typed, IDS) == found


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("k3f-7", "; did you mean k3f-1 or k3f-2?"),
        ("k3f-100", "; did you mean k3f-10?"),
        ("k3f-", "; did you mean k3f-1, k3f-2 or k3f-10?"),
        ("b4", "; did you mean b44 or b4x?"),
        ("3kf", "; did you mean k3f?"),
        ("kf3", "; did you mean k3f?"),
        ("k3ff", "; did you mean k3f?"),
        ("3f", "; did you mean k3f?"),
        ("k3g", "; did you mean k3f?"),
        ("b4y-1", "; did you mean b44-1 or b4x-1?"),
        ("zzz", "; `mux-lsp list` shows those there are."),
        ("k9-5", "; `mux-lsp list` shows those there are."),
        ("", "; `mux-lsp list` shows those there are."),
    ],
)
def test_what_may_have_been_meant(typed: str, said: str) -> None:
    assert suggestion(typed, IDS) == said


words = st.text("k3f-1b", max_size=6)


@given(words, st.integers(0, 5), st.sampled_from("k3x"))
def test_one_slip_is_noticed_wherever_it_is(one: str, at: int, other: str) -> None:
    at = min(at, len(one))
    slips = [one[:at] + other + one[at:], one[:at] + one[at + 1 :], one[:at] + other + one[at + 1 :]]
    if at + 1 < len(one):
        slips.append(one[:at] + one[at + 1] + one[at] + one[at + 2 :])
    for typed in slips:
        if ("-" in typed) == ("-" in one):
            assert suggestions(typed, [one]) == (one,)


@given(words, st.lists(words, max_size=4))
def test_what_is_meant_is_there(typed: str, ids: list[str]) -> None:
    found = resolve(typed, ids)
    assert found is None or found in ids
    assert set(suggestions(typed, ids)) <= set(ids)


@pytest.mark.parametrize(("id_", "task"), [("k3f-2", "k3f"), ("k3f-12", "k3f"), ("k3f", "k3f")])
def test_the_task_of_a_run_and_of_a_task(id_: str, task: str) -> None:
    assert task_of(id_) == task
