"""Test that nothing an agent prints can control a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.agents.log import exact, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext\n", "plain\n\ttext\n"),
        ("ünïcödé 👩‍💻", "ünïcödé 👩‍💻"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38:2::1:2:3mred\x1b[m", "red"),
        ("a\x1b[2J\x1b[Hb", "ab"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x9cafter", "after"),
        ("\x1bcreset", "reset"),
        ("\x1b(Bcharset", "charset"),
        ("\x1b", "␛"),
        ("\x1b[", "␛["),
        ("\x1b]0;never ended\nnext", "␛]0;never ended\nnext"),
        ("\x1b\x1b[31m[31m", "␛[31m"),
        ("bell\x07 back\x08 nul\x00 del\x7f", "bell␇ back␈ nul␀ del␡"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("10%\r20%\r", "10%\n20%\n"),
        ("\u202eevil\u202c", "<U+202E>evil<U+202C>"),
        ("a\u2066b\u2069", "a<U+2066>b<U+2069>"),
        ("\u0085\u0090", "<U+0085><U+0090>"),
        ("\udc80", "\ufffd"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.one_of(st.sampled_from("\x1b\x9b\x9d\x90[]P^_;m0\\\x07\x9c\r\n\t\u202e\ud800"), st.characters())))
def test_nothing_that_drives_a_terminal_is_left(text: str) -> None:
    shown = printable(text)
    assert not [one for one in shown if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} and one not in "\n\t"]
    assert not [
        one
        for one in shown
        if unicodedata.bidirectional(one) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    ]
    assert printable(shown) == shown


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["\x9d", "\x1b]", "\x1b[", "\x1b[0;", "\x9d0", "\x1b("])
def test_hostile_output_takes_no_time(text: str) -> None:
    printable(text * 300_000)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls \x1b];rm x;\x07", "ls ␛];rm x;␇"),
        ("ls \x9d;rm x;\x9c", "ls <U+009D>;rm x;<U+009C>"),
        ("ls\r\nrm x", "ls␍\nrm x"),
        ("ls \u202ex", "ls <U+202E>x"),
        ("ask 'hi\U000e0072\U000e006d'\u200b", "ask 'hi<U+E0072><U+E006D>'<U+200B>"),
        ("ask hi\ufe03\ufe0f\u3164", "ask hi<U+FE03><U+FE0F><U+3164>"),
    ],
)
def test_of_what_is_decided_on_nothing_is_left_out(text: str, shown: str) -> None:
    assert exact(text) == shown
