"""Make text from agents and repositories safe to display."""

from __future__ import annotations

import re
from typing import Final

# ECMA-48 control sequences (colours, cursor), operating system commands and other strings (titles, links, the
# clipboard), and the short escapes. Complete ones are removed whole, since their letters would only clutter the text.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x18\x1a\x1b\n\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-NQ-WYZ`-~]"
)
_DRIVING: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSEEN: Final = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters without a glyph (Unicode's Default_Ignorable_Code_Point).

They can hide a whole sentence that a program still reads.
"""

_CONTROLS: Final = re.compile(f"[{_DRIVING}]")
_CONTROLS_AND_UNSEEN: Final = re.compile(f"[{_DRIVING}{_UNSEEN}]")
_LINE_END: Final = re.compile(r"\r\n|\r")

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Control characters, characters that change the text direction or are invisible, and bytes that are not UTF-8."""


def printable(text: str) -> str:
    """Return the text without anything that controls a terminal or reorders what is seen; newlines and tabs stay.

    Escape sequences are removed. Any other control character is replaced by a visible sign (`␛`, `<U+202E>`), so
    that nothing is hidden. A lone carriage return, which programs use to redraw a line, begins a new line.
    """
    return _CONTROLS.sub(_sign_of, _LINE_END.sub("\n", _ESCAPES.sub("", text)))


def exact(text: str) -> str:
    """Return the text with every character visible, for what a person decides on: a shell runs hidden ones too."""
    return _CONTROLS_AND_UNSEEN.sub(_sign_of, text.replace("\r", "\u240d"))


def visible(text: str, *, keep: str = "") -> str:
    """Return the text with all that could control or deceive a terminal spelt out, as in `\\x1b`; `keep` stays."""
    return _UNSAFE.sub(lambda match: match[0] if match[0] in keep else _spelt(match[0]), text)


def _sign_of(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"


def _spelt(character: str) -> str:
    code = ord(character)
    if character in "\t\n\r":
        return {"\t": "\\t", "\n": "\\n", "\r": "\\r"}[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, kept by surrogateescape
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
