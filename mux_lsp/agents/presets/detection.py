"""Detect an installed agent's version, and whether its person seems to have logged in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.environment import scrubbed
from mux_lsp.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.agents.presets.preset import Preset

VERSION_SECONDS: Final = 10.0
"""Seconds that a program may take to report its version. Some take four on a busy machine."""

_MAX_CHARACTERS: Final = 4096
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")


def looks_logged_in(preset: Preset, environment: Mapping[str, str]) -> bool:
    """Return whether there is a key or a file of credentials. Only their existence is checked; neither is read."""
    if any(environment.get(name) for name in preset.keys):
        return True
    return any(file is not None and file.is_file() for file in (_place(one, environment) for one in preset.logins))


def _place(login: str, environment: Mapping[str, str]) -> Path | None:
    first, _, rest = login.partition("/")
    folder = environment.get("HOME" if first == "~" else first.removeprefix("$"))
    return Path(folder, rest) if folder else None


async def version_of(program: str, environment: Mapping[str, str]) -> str | None:
    """Return the output of `PROGRAM --version`, or None if it prints nothing in time.

    It gets no key, and no folder with anything in it to read.
    """
    # A file, since a pipe would stay open as long as any process that it has started lives.
    with tempfile.TemporaryFile() as output:
        try:
            child = await asyncio.create_subprocess_exec(
                program,
                "--version",
                cwd="/",
                env=scrubbed(environment, Path("/"), KEYS),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return None
        try:
            async with asyncio.timeout(VERSION_SECONDS):
                await child.wait()
        except TimeoutError:
            return None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                await child.wait()
        output.seek(0)
        said = output.read(_MAX_CHARACTERS)
    match = _VERSION.search(said.decode("utf-8", "replace"))
    return match[0].rstrip(".") if match else None
