"""Declare the values that several sections of the settings share, and the base class of all sections."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

AGENT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""Regular expression of an agent's name in the configuration."""


def _is_an_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        found = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        found = False
    if not found:
        raise ValueError("it is no address such as https://models.example.com")
    return value


NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Address = Annotated[NonEmpty, AfterValidator(_is_an_address)]
AgentName = Annotated[str, StringConstraints(pattern=f"^{AGENT_NAME}$")]

PermissionRule = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^([a-z][a-z_-]*|\*)(:.*\S.*)?$")]
"""`TOOL` or `TOOL:SUBJECT`."""


class Section(BaseModel):
    """A table of a settings file. An undeclared key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
