"""Describe how a person can log in an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from acp.schema import EnvVarAuthMethod, TerminalAuthMethod

from mux_lsp.core.sanitize import printable

if TYPE_CHECKING:
    from acp.schema import AuthMethodAgent, InitializeResponse

_MAX_CHARACTERS: Final = 200


def how_to_log_in(greeting: InitializeResponse | None) -> str:
    """Return instructions for the person, as text. No secret is handled here: an agent's keys are its own."""
    methods = [_way(method) for method in (greeting.auth_methods if greeting is not None else None) or []]
    ways = f" It offers: {'; '.join(methods)}." if methods else ""
    return (
        f"The agent needs you to log in first.{ways} Start its command in a terminal and log in there, or set the key "
        "it needs under `environment` in its section of config.toml."
    )


def _way(method: EnvVarAuthMethod | TerminalAuthMethod | AuthMethodAgent) -> str:
    way = method.name
    if isinstance(method, EnvVarAuthMethod):
        way += f" (set {', '.join(one.name for one in method.vars)})"
    elif isinstance(method, TerminalAuthMethod) and method.args:
        way += f" (run it with {' '.join(method.args)})"
    elif method.description:
        way += f" ({method.description})"
    return " ".join(printable(way).split())[:_MAX_CHARACTERS]
