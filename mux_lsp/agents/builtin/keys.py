"""Obtain the built-in agent's key from the keyring, a command or the environment. It is not stored anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mux_lsp.errors import AgentError
from mux_lsp.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND_SECONDS: Final = 60.0
"""Seconds that a command may take to print the key: it may have to ask a person for a password."""


def is_on_this_machine(url: str) -> bool:
    """Return whether the server at an address is a local one. Local servers require no key."""
    try:
        return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
    except ValueError:
        return False


def without_login(url: str) -> str:
    """Return an address for display, without a user name and password: they are only for its server."""
    return re.sub("(?<=://)[^/?#]*@", "", url, count=1)


@dataclass(frozen=True, slots=True)
class KeySource:
    """The sources of a key, tried in the order keyring, command, environment. A source that is None is skipped."""

    variable: str
    command: str | Sequence[str] | None = None
    keyring: str | None = None
    """The entry, as SERVICE/USER."""
    without: str | None = None
    """The key to send without one in the environment: a server on this machine does not require a valid key."""

    async def get(self) -> str:
        """Return the key. Raises AgentError if there is no valid one; the message does not contain the key."""
        key = await self._found()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise AgentError("What was given as the key is none: it holds a space, a line end or other signs.")
        return key

    async def _found(self) -> str:
        if self.keyring is not None:
            return await asyncio.to_thread(_from_keyring, self.keyring)
        if self.command is not None:
            return await _from_command(self.command)
        key = os.environ.get(self.variable, "").strip() or self.without
        if not key:
            how = "" if self.variable in KEYS else " where the daemon is started (`mux-lsp stop` ends the one there is)"
            raise AgentError(
                f"There is no key: {self.variable} is not set. Set it{how}, or have `api_key_command` or "
                "`api_key_keyring` in config.toml give it."
            )
        return key


def _from_keyring(entry: str) -> str:
    try:
        keyring = importlib.import_module("keyring")  # not a dependency of ours: few people keep their keys there
    except ImportError:
        raise AgentError(
            "The key is to come from the keyring, but Python's keyring package is not installed: "
            "`pip install keyring` where mux-lsp is."
        ) from None
    service, _, user = entry.partition("/")
    try:
        key = keyring.get_password(service, user)
    except Exception as error:  # each system's keyring has its own exceptions
        raise AgentError(f"The keyring could not be asked for {entry}: {type(error).__name__}.") from error
    if not key:
        raise AgentError(f"The keyring has no key for {entry}: `keyring set {service} {user}` puts one there.")
    return str(key).strip()


async def _from_command(command: str | Sequence[str]) -> str:
    arguments = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    try:
        child = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise AgentError(f"The command that gives the key could not be started: {error.strerror}.") from error
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            printed, _ = await child.communicate()
    except TimeoutError:
        raise AgentError(f"The command that gives the key took more than {COMMAND_SECONDS:.0f} seconds.") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    key = printed.decode("utf-8", "replace").strip()
    if child.returncode or not key:
        raise AgentError(f"The command that gives the key ended with status {child.returncode} and printed no key.")
    return key
