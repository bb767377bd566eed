"""Run the replay server as a separate program, and write scripts for it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replaying(folder: Path, *turns: str, settings: str = "") -> Iterator[str]:
    """Run `mux-lsp replay` with a script of one conversation. Yield its address."""
    script = folder / "play.toml"
    script.write_text("\n".join(["[[conversation]]", settings, *turns]))
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "mux_lsp", "replay", str(script)], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), url
            yield url
        finally:
            server.terminate()


def turn(*blocks: str, more: str = "") -> str:
    """Return one answer of the model."""
    return f"[[conversation.turn]]\ncontent = [{', '.join(blocks)}]\n{more}\n"


def call(tool: str, **given: object) -> str:
    """Return a tool call."""
    return f"{{ tool = {json.dumps(tool)}, input_json = {json.dumps(json.dumps(given))} }}"


def text(words: str) -> str:
    """Return a text block."""
    return f"{{ text = {json.dumps(words)} }}"


CHANGE = turn(
    text("I change a line."),
    call("edit_file", path="notes.txt", edits=[{"old": "line 5\n", "new": "LINE FIVE\n"}]),
    more="usage = { input = 1000, output = 100 }",
)
DONE = turn(call("finish", summary="It is done."))


def agent(url: str, name: str = "built", more: str = "") -> str:
    """Return the agent's section of config.toml."""
    return f'[agents.{name}]\nkind = "anthropic"\nbase_url = "{url}"\n{more}\n'
