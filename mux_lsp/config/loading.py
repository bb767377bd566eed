"""Read and validate settings. Every error names the file, the key and the allowed values."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from mux_lsp.config.fields import Section
from mux_lsp.config.sections import Configuration, OfRepository
from mux_lsp.errors import UsageError, unreadable

if TYPE_CHECKING:
    from pathlib import Path

_Read = TypeVar("_Read", bound=Section)


def load(file: Path) -> Configuration:
    """Read and validate a configuration file. If it does not exist, the defaults apply.

    Raises UsageError with every problem found, one to a line.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Configuration()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from error
    return _parsed(Configuration, text, str(file))


def of_repository(text: str, name: str) -> OfRepository:
    """Read and validate the text of a `mux.toml`. Error messages call it `name`. Raises UsageError as `load` does."""
    return _parsed(OfRepository, text, name)


def _parsed(kind: type[_Read], text: str, name: str) -> _Read:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not valid TOML: {error}.") from error
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise UsageError(_complaints(name, error)) from None


def _complaints(file: str, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        message = problem["msg"]
        if place[0] == "agents" and len(place) > 2:
            # pydantic inserts the kind of agent, which is not a key of the file.
            del place[2]
        match problem["type"]:
            case "extra_forbidden":
                message = "is not a setting; check its spelling"
            case "union_tag_invalid":
                place.append("kind")
                message = f"Input should be one of {problem['ctx']['expected_tags']}"
            case "union_tag_not_found":
                place.append("kind")
                message = "Field required"
        key = ".".join(place)
        lines.append(f"{file}: {key}: {message}.")
    return "\n".join(dict.fromkeys(lines))
