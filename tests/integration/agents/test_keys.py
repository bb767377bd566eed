"""Test where the built-in agent's key comes from, and the message about a missing key."""

from __future__ import annotations

import os
import select
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.agents.builtin import keys
from mux_lsp.agents.builtin.keys import KeySource, is_on_this_machine, without_login
from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-canary"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SET", f" {KEY}\n")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)


@pytest.mark.parametrize(
    "source",
    [
        KeySource("SET"),
        KeySource("SET", without="none"),
        KeySource("UNSET", command=f"echo {KEY}; echo noise >&2"),
        KeySource("UNSET", command=["printf", "%s", KEY]),
        KeySource("EMPTY", command="cat; echo $SET"),
    ],
)
async def test_a_key(source: KeySource) -> None:
    assert await source.get() == KEY


async def test_a_server_on_this_machine_needs_none() -> None:
    assert await KeySource("EMPTY", without="none").get() == "none"
    assert is_on_this_machine("http://localhost:8080/v1")
    assert not is_on_this_machine("https://localhost.example.org")
    assert not is_on_this_machine("")
    assert not is_on_this_machine("http://[")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:secret@models.example.com/v1", "https://models.example.com/v1"),
        ("https://secret@models.example.com?a@b", "https://models.example.com?a@b"),
        ("https://models.example.com/me@here", "https://models.example.com/me@here"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_login(address: str, shown: str) -> None:
    assert without_login(address) == shown


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (KeySource("UNSET"), r"There is no key: UNSET is not set\. Set it where the daemon is started .*, or have .*"),
        (KeySource("ANTHROPIC_API_KEY"), r"There is no key: ANTHROPIC_API_KEY is not set\. Set it, or have .*"),
        (KeySource("EMPTY"), r"There is no key: EMPTY is not set.*"),
        (
            KeySource("SET", command="exit 3"),
            r"The command that gives the key ended with status 3 and printed no key\.",
        ),
        (KeySource("SET", command=f"echo {KEY}; exit 3"), r"The command that gives the key ended with status 3 .*"),
        (KeySource("SET", command="true"), r"The command that gives the key ended with status 0 and printed no key\."),
        (
            KeySource("SET", command=["/nowhere/pass"]),
            r"The command that gives the key could not be started: No such.*",
        ),
        (KeySource("SET", command=f"echo {KEY} {KEY}"), r"What was given as the key is none: it holds a space, .*"),
        (KeySource("SET", command=f"echo {KEY}; echo {KEY}"), r"What was given as the key is none: .*"),
        (KeySource("SET", command=f"printf '{KEY}\\377'"), r"What was given as the key is none: .*"),
        (KeySource("SET", keyring="mux/me"), r".* Python's keyring package is not installed: `pip install keyring` .*"),
    ],
)
async def test_none(source: KeySource, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(AgentError, match=f"^{said}$") as error:
        await source.get()
    assert KEY not in str(error.value)


async def test_a_command_that_takes_too_long_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "COMMAND_SECONDS", 0.3)
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(AgentError, match=r"^The command that gives the key took more than 0 seconds\.$"):
            await KeySource("SET", command=f"(echo begun; sleep 1000) >{tmp_path}/held & wait").get()
        # The pipe is at its end when no process has the other side open.
        said: bytes | None = None
        while said != b"":
            try:
                said = os.read(held, 100)
            except BlockingIOError:
                assert select.select([held], [], [], 20.0)[0], "a child is still there"
    finally:
        os.close(held)


class Keyring(ModuleType):
    """A stand-in for the keyring package, which is no dependency."""

    def __init__(self, entries: dict[tuple[str, str], str]) -> None:
        super().__init__("keyring")
        self._entries = entries

    def get_password(self, service: str, user: str) -> Any:
        if service == "locked":
            raise RuntimeError(f"the collection is locked, it holds {KEY}")
        return self._entries.get((service, user))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("mux/me", None),
        ("mux/you", r"The keyring has no key for mux/you: `keyring set mux you` puts one there\."),
        ("locked/me", r"The keyring could not be asked for locked/me: RuntimeError\."),
    ],
)
async def test_the_keyring_goes_first(entry: str, said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Keyring({("mux", "me"): KEY}))
    source = KeySource("SET", command="echo other", keyring=entry)
    if said is None:
        assert await source.get() == KEY
    else:
        with pytest.raises(AgentError, match=f"^{said}$"):
            await source.get()
