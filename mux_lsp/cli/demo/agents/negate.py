"""An agent of the demonstration: rounds up in whole numbers, and commits as many agents do."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

PAUSE_SECONDS = 0.6
"""Agents take their time; this one does so that its progress can be watched."""


def main() -> None:
    """Mend `pages.py` in the folder this is started in."""
    file = Path("pages.py")
    text = file.read_text(encoding="utf-8")
    _say("running the tests first")
    subprocess.run(["python3", "-m", "unittest", "-q"], check=False, capture_output=True)
    _say("floor division of the negative rounds up, without floats")
    text = text.replace("return entries // PER_PAGE", "return -(-entries // PER_PAGE)")
    text = text.replace("range(1, page_count(entries))", "range(1, page_count(entries) + 1)")
    file.write_text(text, encoding="utf-8")
    # The worktree has a git directory of its own: this commit is nowhere to be seen in the person's repository.
    subprocess.run(["git", "commit", "--quiet", "--all", "--message", "Show the last page"], check=True)
    _say("committed; git here is mine alone")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
