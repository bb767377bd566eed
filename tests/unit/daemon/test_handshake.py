"""Test the order of versions, by which one daemon is replaced with another."""

from __future__ import annotations

import itertools

import pytest

from mux_lsp.daemon.handshake import is_newer

ASCENDING = (
    "",
    "x",
    "0.0.1",
    "0.1.0.dev1",
    "0.1.0a2",
    "0.1.0rc2",
    "0.1.0rc10",
    "0.1.0",
    "0.1.1",
    "0.2",
    "0.10.0",
    "1.0.0",
)


def test_later_releases_are_newer() -> None:
    for earlier, later in itertools.combinations(ASCENDING[1:], 2):
        assert is_newer(later, earlier), (earlier, later)
        assert not is_newer(earlier, later), (earlier, later)


@pytest.mark.parametrize(
    ("one", "other"), [("0.1.0", "0.1.0"), ("0.1", "0.1.0"), ("0.1.0+local", "0.1.0"), ("", "None")]
)
def test_none_of_two_equal_ones_is(one: str, other: str) -> None:
    assert not is_newer(one, other) or not one.strip()
    assert not is_newer(other, one) or not one.strip()


@pytest.mark.parametrize("wild", ["None", "\u00b2", "1.\u0663", "9" * 40, "..", "1..2", "-1", "v2"])
def test_whatever_a_client_says_can_be_compared(wild: str) -> None:
    assert is_newer(wild, "0.1.0") in {True, False}
