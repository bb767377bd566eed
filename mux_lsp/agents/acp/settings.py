"""Select the mode and the model of a session, in the two ways in which agents offer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acp.schema import SessionConfigOptionSelect, SessionConfigSelectGroup

from mux_lsp.core.sanitize import printable
from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Any

    from acp.client.connection import ClientSideConnection
    from acp.schema import LoadSessionResponse, NewSessionResponse, ResumeSessionResponse

    Opened = NewSessionResponse | LoadSessionResponse | ResumeSessionResponse


def choose(
    connection: ClientSideConnection, session: str, opened: Opened, mode: str | None, model: str | None
) -> Iterator[Coroutine[Any, Any, Any]]:
    """Yield the requests that set a session's mode and model, if they are given and not selected yet.

    Raises AgentError if the agent does not offer them.
    """
    for category, wanted in (("model", model), ("mode", mode)):
        if wanted is None:
            continue
        option = _option(opened, category)
        if option is not None:
            offered, now = _values(option), option.current_value
        elif category == "mode" and opened.modes is not None:
            offered, now = [one.id for one in opened.modes.available_modes], opened.modes.current_mode_id
        else:
            raise AgentError(f"The agent offers no choice of a {category}. Leave the {category} out.")
        if wanted not in offered:
            known = ", ".join(printable(one) for one in offered)
            raise AgentError(f"The agent has no {category} {printable(wanted)!r}. It offers: {known}.")
        if wanted == now:
            continue
        if option is not None:
            yield connection.set_config_option(config_id=option.id, session_id=session, value=wanted)
        else:
            yield connection.set_session_mode(session_id=session, mode_id=wanted)


def _option(opened: Opened, category: str) -> SessionConfigOptionSelect | None:
    options = [one for one in opened.config_options or [] if isinstance(one, SessionConfigOptionSelect)]
    return next((one for one in options if category in {one.category, one.id}), None)


def _values(option: SessionConfigOptionSelect) -> list[str]:
    values = []
    for one in option.options:
        values += [leaf.value for leaf in one.options] if isinstance(one, SessionConfigSelectGroup) else [one.value]
    return values
