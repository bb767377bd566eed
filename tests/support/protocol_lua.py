"""Generate the protocol's types for Lua from `mux_lsp/lsp/protocol.py`: `lua/mux/protocol.lua` of the Neovim plugin.

`make generate` brings the file up to date; a test fails where it is not.
"""

from __future__ import annotations

import inspect
import types
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from tests.support.protocol_tables import models

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

FILE: Final = Path(__file__).parents[2] / "editor-clients" / "neovim" / "lua" / "mux" / "protocol.lua"

_HEAD: Final = """\
--- The types of the protocol. Generated from mux_lsp/lsp/protocol.py by `make generate`. Do not edit.
--- Nothing reads this file at run time.
---@meta
"""

_PLAIN: Final[dict[Any, str]] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def made() -> str:
    """Return the generated file."""
    return "\n".join([_HEAD, *(_class(model) for model in models())])


def _class(model: type[BaseModel]) -> str:
    doc = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    lines = [f"---{' ' if line else ''}{line}" for line in doc.splitlines()]
    lines.append(f"---@class mux.protocol.{model.__name__}")
    lines += [_field(name, field) for name, field in model.model_fields.items()]
    return "\n".join([*lines, ""])


def _field(name: str, field: FieldInfo) -> str:
    kind = type_name(field.annotation)
    # A null value is absent in Lua, and a value with a default may be left out.
    optional = "?" if kind.endswith("?") or not field.is_required() else ""
    shown = f"['{name}']" if name == "end" else name
    return f"---@field {shown}{optional} {kind.removesuffix('?')}"


def type_name(annotation: Any) -> str:
    """Return a type in LuaCATS notation; a type that may be null ends with a question mark."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return "|".join(f"'{value}'" for value in arguments)
    if origin in {types.UnionType, Union}:
        named = [type_name(argument) for argument in arguments if argument is not type(None)]
        return "|".join(named) + ("?" if type(None) in arguments else "")
    if origin is list:
        inner = type_name(arguments[0])
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if origin is dict:
        return f"table<{type_name(arguments[0])}, {type_name(arguments[1])}>"
    return _PLAIN.get(annotation) or f"mux.protocol.{annotation.__name__}"
