"""An agent of the demonstration: looks right at first sight, and is wrong whenever the pages are full."""

from __future__ import annotations

import sys
import time
from pathlib import Path

PAUSE_SECONDS = 0.5
"""Agents take their time; this one does so that its progress can be watched."""


def main() -> None:
    """Mend `pages.py` in the folder this is started in, badly."""
    file = Path("pages.py")
    text = file.read_text(encoding="utf-8")
    _say("one page is missing, so I add one")
    text = text.replace("return entries // PER_PAGE", "return entries // PER_PAGE + 1")
    text = text.replace("range(1, page_count(entries))", "range(1, page_count(entries) + 1)")
    file.write_text(text, encoding="utf-8")
    _say("should work now")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
