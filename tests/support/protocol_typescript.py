"""Generate the types of `editor-clients/vscode/src/protocol.ts` from `mux_lsp/lsp/protocol.py`.

`make generate` brings it up to date; a test fails where it is not.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mux_lsp.lsp import protocol
from tests.support.protocol_tables import models, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

MODULE: Path = Path(__file__).parents[2] / "editor-clients" / "vscode" / "src" / "protocol.ts"

_HEAD = """\
// Generated from mux_lsp/lsp/protocol.py by `make generate`. Do not edit.
"""


def made() -> str:
    """Return the text of the module."""
    commands = "".join(
        f'  "{name}": {{ params: {command.params.__name__}; result: {command.result.__name__} }};\n'
        for name, command in protocol.COMMANDS.items()
    )
    return "\n".join(
        [
            _HEAD,
            f"export const PROTOCOL_VERSION = {protocol.PROTOCOL_VERSION};\n",
            *map(_interface, models()),
            "/** Every command with the type of its argument and of its answer. */",
            f"export interface Commands {{\n{commands}}}\n",
            _names("The notifications beside LSP's own.", "Notifications", protocol.NOTIFICATIONS),
            _names(
                "The commands that a client may have itself, with the type of their one argument.",
                "ClientCommands",
                protocol.CLIENT_COMMANDS,
            ).rstrip("\n"),
            "",
        ]
    )


def _names(what: str, name: str, found: Mapping[str, type[BaseModel]]) -> str:
    lines = "".join(f'  "{one}": {model.__name__};\n' for one, model in found.items())
    return f"/** {what} */\nexport interface {name} {{\n{lines}}}\n"


def _interface(model: type[BaseModel]) -> str:
    doc = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    comment = "".join(f" * {line}".rstrip() + "\n" for line in doc.splitlines())
    head = f"/**\n{comment} */\n" if doc else ""
    if not model.model_fields:
        return f"{head}export type {model.__name__} = Record<string, never>;\n"
    fields = "".join(_field(name, field) for name, field in model.model_fields.items())
    return f"{head}export interface {model.__name__} {{\n{fields}}}\n"


def _field(name: str, field: FieldInfo) -> str:
    optional = "" if field.is_required() else "?"
    return f"  {name}{optional}: {_type(field.annotation)};\n"


def _type(annotation: Any) -> str:
    words = re.sub(r"\binteger\b", "number", type_name(annotation))
    return re.sub(r"\{ \[key: (\w+)\]: (.+) \}", r"Record<\1, \2>", words)
