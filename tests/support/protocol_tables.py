"""Generate the reference tables of `editor-clients/PROTOCOL.md` from `mux_lsp/lsp/protocol.py`.

`make generate` brings the document up to date; a test fails where it is not.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AllowInfNan, BaseModel, StringConstraints

from mux_lsp.lsp import protocol
from mux_lsp.lsp.effects import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

DOCUMENT = Path(__file__).parents[2] / "editor-clients" / "PROTOCOL.md"

_SECTION = re.compile(r"(?s)(<!-- generated: (\w+) -->\n).*?(<!-- end of generated -->)")


def updated(document: str) -> str:
    """Return the document with its generated sections regenerated."""
    made = {
        "version": _version,
        "commands": _commands,
        "effects": _effects,
        "notifications": _notifications,
        "types": _types,
    }
    found = [match[2] for match in _SECTION.finditer(document)]
    assert sorted(found) == sorted(made), f"sections {found}, wanted {list(made)}"
    return _SECTION.sub(lambda match: f"{match[1]}\n{made[match[2]]()}\n{match[3]}", document)


def type_name(annotation: Any) -> str:
    """Return a type in the document's notation, which is TypeScript's."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in {types.UnionType, Union}:
        return " | ".join(type_name(argument) for argument in arguments)
    if origin is list:
        inner = type_name(arguments[0])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if origin is dict:
        return f"{{ [key: {type_name(arguments[0])}]: {type_name(arguments[1])} }}"
    plain = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    return plain.get(annotation) or str(annotation.__name__)


def _version() -> str:
    return (
        f"The protocol version is **{protocol.PROTOCOL_VERSION}**. The code of a refused request is "
        f"**{protocol.REQUEST_FAILED}**.\n"
    )


def _commands() -> str:
    rows = [
        f"| `{name}` | {_link(command.params)} | {_link(command.result)} | {command.effect.word} |"
        for name, command in protocol.COMMANDS.items()
    ]
    return "\n".join(["| command | argument | result | effect |", "| --- | --- | --- | --- |", *rows, ""])


def _effects() -> str:
    rows = [f"| {one.word} | {one.meaning} | {one.right.value} | {one.on_cancel.value} |" for one in Effect]
    head = ["| effect | meaning | callers beside the person | on cancel |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, ""])


def _notifications() -> str:
    rows = [f"| `{name}` | {_link(params)} |" for name, params in protocol.NOTIFICATIONS.items()]
    return "\n".join(["| notification | params |", "| --- | --- |", *rows, ""])


def _types() -> str:
    return "\n".join(_type(model) for model in models())


def models() -> list[type[BaseModel]]:
    """Return every type of the protocol in the order of its declaration."""
    bases = (protocol.Params, protocol.Shape)
    classes: list[type[BaseModel]] = [
        member for member in vars(protocol).values() if inspect.isclass(member) and issubclass(member, BaseModel)
    ]
    return [one for one in classes if issubclass(one, bases) and one not in bases]


def _type(model: type[BaseModel]) -> str:
    doc = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    lines = [f"### {model.__name__}", ""]
    if doc:
        lines += [doc, ""]
    if model.model_fields:
        lines += ["| field | type | |", "| --- | --- | --- |"]
        lines += [_field(name, field) for name, field in model.model_fields.items()]
    else:
        lines += ["No fields."]
    return "\n".join([*lines, ""])


def _field(name: str, field: FieldInfo) -> str:
    own, each = limits_of(field.annotation)
    notes = [*_words(own + field.metadata), *(f"each {limit}" for limit in _words(each))]
    if not field.is_required():
        notes.insert(0, f"optional, `{json.dumps(field.default)}` if left out")
    kind = type_name(field.annotation).replace("|", "\\|")
    return f"| `{name}` | `{kind}` | {'; '.join(notes)} |"


def limits_of(annotation: Any) -> tuple[list[Any], list[Any]]:
    """Return the constraints of a value that is not null, and those of the elements of a list."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own, each = limits_of(arguments[0])
        return [*own, *arguments[1:]], each
    if origin in {types.UnionType, Union}:
        found = [limits_of(argument) for argument in arguments]
        return [one for own, _ in found for one in own], [one for _, each in found for one in each]
    if origin is list:
        return [], limits_of(arguments[0])[0]
    return [], []


def _words(metadata: Iterable[Any]) -> Iterable[str]:
    for one in metadata:
        match one:
            case StringConstraints(pattern=str(pattern)):
                yield f"matches `{pattern}`"
            case StringConstraints(min_length=least, max_length=most):
                yield f"{'not empty, ' if least else ''}at most {most} characters"
            case MinLen(min_length=1):
                yield "not empty"
            case MaxLen(max_length=most):
                yield f"at most {most} entries"
            case Ge(ge=limit):
                yield f"at least {limit}"
            case Gt(gt=limit):
                yield f"more than {limit}"
            case Le(le=limit):
                yield f"at most {limit}"
            case Lt(lt=limit):
                yield f"less than {limit}"
            case AllowInfNan(allow_inf_nan=False):
                pass  # JSON has no other numbers
            case _ if hasattr(one, "metadata"):
                yield from _words(one.metadata)
            case _:
                raise NotImplementedError(f"{one!r} has no words in the document yet")


def _link(model: type[BaseModel]) -> str:
    return f"[{model.__name__}](#{model.__name__.lower()})"
