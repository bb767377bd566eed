"""An agent of the demonstration: rounds up with the standard library."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

PAUSE_SECONDS = 0.7
"""Agents take their time; this one does so that its progress can be watched."""


def main() -> None:
    """Mend `pages.py` in the folder this is started in."""
    prompt = Path(os.environ["MUX_PROMPT_FILE"]).read_text(encoding="utf-8")
    _say(f"asked to: {prompt.splitlines()[0]}")
    file = Path("pages.py")
    text = file.read_text(encoding="utf-8")
    _say("pages.py: // rounds down, it has to round up")
    text = text.replace("\n\nPER_PAGE", "\n\nimport math\n\nPER_PAGE", 1)
    text = text.replace("return entries // PER_PAGE", "return math.ceil(entries / PER_PAGE)")
    file.write_text(text, encoding="utf-8")
    _say("pages.py: range() leaves the last page out")
    text = text.replace("range(1, page_count(entries))", "range(1, page_count(entries) + 1)")
    file.write_text(text, encoding="utf-8")
    _say("done: math.ceil, and one link more")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
