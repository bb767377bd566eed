"""Test the bodies of messages: what their ends tell, and that the incremental parser agrees with `json`."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.daemon.bodies import ID_LIMIT, first_members, last_members, parse_patiently

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)

DECEPTIVE: list[Any] = [
    {"x": 1},
    {"method": "inner", "id": 9},
    {"x": '"method":"inner","id":9,'},
    [{"x": 1, "method": "inner"}],
    {},
]


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_the_patient_reader_reads_what_json_does(value: Any, indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert parse_patiently(body) == json.loads(body)


@given(st.binary(max_size=20) | st.text(alphabet='{}[]",:\\ 1e-', max_size=20).map(str.encode))
def test_the_patient_reader_refuses_what_json_does(body: bytes) -> None:
    try:
        expected = json.loads(body)
    except (ValueError, RecursionError):
        with pytest.raises((ValueError, RecursionError)):
            parse_patiently(body)
    else:
        assert parse_patiently(body) == expected


def test_what_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(RecursionError):
        parse_patiently(b"[" * 100_000)


@pytest.mark.parametrize("params", DECEPTIVE)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("slash", [b"/", b"\\/"])  # Neovim has written the second
@pytest.mark.parametrize("order", [*itertools.permutations(["jsonrpc", "id", "method", "params"])])
def test_the_method_and_the_id_are_at_one_of_the_ends(
    order: tuple[str, ...], params: Any, indent: int | None, slash: bytes
) -> None:
    """The members may have any order: those before the parameters are found at the beginning, all others at the end."""
    message = {"jsonrpc": "2.0", "id": "an id", "method": "a/method", "params": params}
    body = json.dumps({name: message[name] for name in order}, indent=indent).encode().replace(b"/", slash)
    first, last = first_members(body), last_members(body)
    before = set(order[: order.index("params")])
    for found, here in ((first, before), (last, set(order) - before)):
        assert found.method == ("a/method" if "method" in here else None)
        assert found.id == ("an id" if "id" in here else None)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"method":7,"params":{}}', b'{"id":"\\x","x":{}}', b'{"id":"%b","x":1}' % (b"x" * 1000)],
)
def test_nothing_is_found_where_nothing_is(body: bytes) -> None:
    for found in (first_members(body), last_members(body)):
        assert (found.method, found.id) == (None, None)
    assert len(str(first_members(b'{"id":"%b","x":1}' % (b"x" * ID_LIMIT)).id)) == ID_LIMIT
