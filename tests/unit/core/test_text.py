from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.text import (
    Decoded,
    PositionEncoding,
    adapt_line_ends,
    change_line_ends,
    code_units,
    decode,
    encode,
    from_units,
    line_end,
    line_end_change,
    line_range,
    shown_path,
    split_lines,
)
from mux_lsp.errors import MuxError

UTF8, UTF16, UTF32 = PositionEncoding.UTF8, PositionEncoding.UTF16, PositionEncoding.UTF32
any_text = st.text(st.one_of(st.sampled_from("ab\n\r\x0b\x0c\x1c\x85\u2028é😀\ud83d\ude00"), st.characters()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\n", ["a\n"]),
        ("a\n\nb", ["a\n", "\n", "b"]),
        ("a\r\nb\rc\nd", ["a\r\n", "b\r", "c\n", "d"]),
        ("\r\r\n\n\r", ["\r", "\r\n", "\n", "\r"]),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\n", ["a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\n"]),
    ],
)
def test_lines_end_where_lsp_says(text: str, expected: list[str]) -> None:
    assert split_lines(text) == expected


@given(any_text)
def test_lines_join_to_the_text(text: str) -> None:
    found = split_lines(text)
    assert "".join(found) == text
    assert found == re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Decoded("", bom=False)),
        ("é😀\r\n".encode(), Decoded("é😀\r\n", bom=False)),
        (b"\xef\xbb\xbfa\n", Decoded("a\n", bom=True)),
        (b"\xef\xbb\xbf", Decoded("", bom=True)),
        (b"\xef\xbb\xbf\xef\xbb\xbfa", Decoded("\ufeffa", bom=True)),
        (b"a\xef\xbb\xbf", Decoded("a\ufeff", bom=False)),
        (b"a\0b", None),
        ("é".encode("latin-1"), None),
        ("a".encode("utf-16"), None),
        (b"\xed\xa0\x80", None),
        (b"\xc0\x80", None),
    ],
)
def test_decode(data: bytes, expected: Decoded | None) -> None:
    assert decode(data) == expected
    if expected is not None:
        assert encode(expected) == data


def test_a_text_with_half_a_character_cannot_be_saved_and_says_where() -> None:
    with pytest.raises(MuxError, match=r"Line 2 holds half of a character \(U\+D83D\)"):
        encode(Decoded("a\nb\ud83d\n", bom=False))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("a", None),
        ("a\nb", "\n"),
        ("a\r\nb\r\n", "\r\n"),
        ("a\rb\r", "\r"),
        ("a\r\nb\n", None),
        ("a\nb\r\n", None),
        ("a\r\nb\rc\r\n", None),
        ("a\rb\n", None),
        ("a\nb\rc", None),
    ],
)
def test_the_one_line_end(text: str, expected: str | None) -> None:
    assert line_end(split_lines(text)) == expected


@pytest.mark.parametrize(
    ("base", "live", "expected"),
    [
        ("a\nb", "x\r\n", "a\r\nb"),
        ("a\r\nb\r\n", "x\ny\n", "a\nb\n"),
        ("a\rb", "x\n", "a\nb"),
        ("a\nb\n", "x\n", "a\nb\n"),
        ("a\nb\n", "x\r", "a\nb\n"),  # nothing is converted to a lone \r
        ("a\nb\r\n", "x\r\n", "a\nb\r\n"),  # mixed line ends stay exact
        ("a\nb\n", "x\r\ny\n", "a\nb\n"),
        ("a\nb\n", "", "a\nb\n"),
        ("", "x\r\n", ""),
    ],
)
def test_line_ends_are_adapted_only_between_uniform_texts(base: str, live: str, expected: str) -> None:
    assert "".join(adapt_line_ends(split_lines(base), split_lines(live))) == expected


def test_a_result_keeps_the_line_ends_it_changed() -> None:
    change = line_end_change(split_lines("a\nb\n"), split_lines("a\r\nb\r\n"))
    assert change_line_ends(["a\n", "b\r\n", "c\r", "d"], change) == ["a\r\n", "b\r\n", "c\r", "d"]
    assert change_line_ends(("a\n",), None) == ["a\n"]


@pytest.mark.parametrize(
    ("text", "utf8", "utf16", "utf32"),
    [
        ("ab", 2, 2, 2),
        ("é", 2, 1, 1),
        ("a😀", 5, 3, 2),
        ("e\u0301", 3, 2, 2),  # a combining mark is a character of its own
        ("\ud83d", 3, 1, 1),  # half of a surrogate pair
        ("", 0, 0, 0),
    ],
)
def test_units_of_a_text(text: str, utf8: int, utf16: int, utf32: int) -> None:
    assert [code_units(text, encoding) for encoding in (UTF8, UTF16, UTF32)] == [utf8, utf16, utf32]


@pytest.mark.parametrize(
    ("line", "units", "encoding", "expected"),
    [
        ("a😀b\n", 1, UTF16, 1),
        ("a😀b\n", 2, UTF16, 1),  # inside a surrogate pair: its start
        ("a😀b\n", 3, UTF16, 2),
        ("a😀b\n", 4, UTF8, 1),
        ("a😀b\n", 5, UTF8, 2),
        ("a😀b\n", 99, UTF16, 3),
        ("a😀b\n", 99, UTF32, 3),
        ("abc\r\n", 4, UTF16, 3),
        ("abc\n", -1, UTF8, 0),
        ("é\n", -1, UTF8, 0),
    ],
)
def test_character_of_units(line: str, units: int, encoding: PositionEncoding, expected: int) -> None:
    assert from_units(line, units, encoding) == expected


@given(any_text.filter(lambda text: not re.search(r"[\r\n]", text)), st.sampled_from(PositionEncoding), st.data())
def test_units_round_trip(content: str, encoding: PositionEncoding, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(content)))
    assert from_units(content + "\r\n", code_units(content[:index], encoding), encoding) == index
    codec = {UTF8: ("utf-8", 1), UTF16: ("utf-16-le", 2), UTF32: ("utf-32-le", 4)}[encoding]
    assert code_units(content, encoding) == len(content.encode(codec[0], "surrogatepass")) // codec[1]


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        ("a\nb\n", 0, 1, ((0, 0), (1, 0))),
        ("a\nb\n", 2, 2, ((2, 0), (2, 0))),
        ("a\nb\n", 0, 9, ((0, 0), (2, 0))),
        ("a\nb😀", 1, 2, ((1, 0), (1, 3))),
        ("a\nb", 2, 2, ((1, 1), (1, 1))),
        ("", 0, 0, ((0, 0), (0, 0))),
    ],
)
def test_range_of_lines(text: str, start: int, end: int, expected: tuple[tuple[int, int], tuple[int, int]]) -> None:
    assert line_range(split_lines(text), start, end, UTF16) == expected


def test_encodings_have_lsps_names() -> None:
    assert [encoding.value for encoding in PositionEncoding] == ["utf-8", "utf-16", "utf-32"]


@pytest.mark.parametrize(
    ("path", "shown"), [("a/b.txt", "a/b.txt"), ("caf\udce9", "caf\\xe9"), ("café", "café"), ("a\\b", "a\\b")]
)
def test_a_path_is_shown_in_what_json_can_hold(path: str, shown: str) -> None:
    assert shown_path(path) == shown
