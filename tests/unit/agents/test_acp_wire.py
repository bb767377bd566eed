"""Test how an agent's lines are parsed into messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.agents.acp.wire import read_message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": 1, "result": null}', {"id": 1, "result": None}),
        ('{"id": "a", "method": "x"}', {"id": "a", "method": "x"}),
        ('{"method": "x"}', {"method": "x"}),
        ('{"id": 1, "error": "no"}', {"id": 1, "error": {"code": -32603, "message": "no"}}),
        ('{"id": 1, "error": null}', {"id": 1, "error": {"code": -32603, "message": "None"}}),
        ('{"id": {}, "result": 1}', None),
        ('{"id": 1, "method": []}', None),
        ("{}", None),
        ("[]", None),
        ("null", None),
        ("", None),
        ("[" * 100_000, None),
        ("1" * 10_000, None),
        ('{"id": 1', None),
    ],
)
def test_lines(line: str, message: dict[str, Any] | None) -> None:
    assert read_message(line.encode()) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "method", "error", "x"]), inner),
    max_leaves=8,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_a_message_or_none(line: bytes) -> None:
    message = read_message(line)
    if message is not None:
        assert {message.get("id"): 1}, "the library looks it up"
        assert isinstance(message.get("method", ""), str)
        assert isinstance(message.get("error", {}), dict)
