"""Check `editor-clients/PROTOCOL.md` against `mux_lsp/lsp/protocol.py`, and its example against a real session."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.engine.state.events import Told
from mux_lsp.lsp import protocol
from mux_lsp.lsp.review import code_action
from tests.support import protocol_typescript
from tests.support.generate import HOW
from tests.support.protocol_tables import DOCUMENT, models, updated

if TYPE_CHECKING:
    from pydantic import BaseModel


def messages() -> list[tuple[str, dict[str, Any]]]:
    """Return the messages of the worked example, each with its direction."""
    example = DOCUMENT.read_text(encoding="utf-8").partition("## A worked example")[2]
    blocks = "".join(re.findall(r"(?s)```\n(.*?)```", example))
    return [(arrow, json.loads(text)) for arrow, text in re.findall(r"(?ms)^([→←]) (.*?)(?=^[→←] |\Z)", blocks)]


def test_the_reference_is_up_to_date() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == updated(document), HOW


def test_the_types_of_the_extension_are_up_to_date() -> None:
    made = protocol_typescript.made()
    there = protocol_typescript.MODULE.read_text(encoding="utf-8")
    assert there == made, HOW
    assert "  count?: number;" in made
    assert "  hunks: Record<string, string[]>;" in made


def test_every_type_is_used() -> None:
    used: set[type[BaseModel]] = {protocol.VersionErrorData}
    waiting: list[type[BaseModel]] = [*protocol.NOTIFICATIONS.values(), *protocol.CLIENT_COMMANDS.values()]
    for command in protocol.COMMANDS.values():
        waiting += command.params, command.result
    while waiting:
        model = waiting.pop()
        used.add(model)
        text = str([field.annotation for field in model.model_fields.values()])
        waiting += [one for one in models() if one not in used and re.search(rf"\b{one.__name__}\b", text)]
    bases = {base for model in used for base in model.__mro__}
    assert set(models()) <= used | bases
    assert len(protocol.NOTIFICATIONS) == len(Told.__args__)


def test_every_code_action_kind_is_named() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert [kind for kind in code_action.KINDS if f"| `{kind}` |" not in document] == []


def test_the_example_is_as_declared() -> None:
    asked: dict[Any, dict[str, Any]] = {}
    seen: set[str] = set()
    for arrow, message in messages():
        method = message.get("method", "")
        seen.add(arrow + method)
        if arrow == "→" and method:
            asked[message.get("id")] = message
        if method == "workspace/executeCommand":
            declared = protocol.COMMANDS[message["params"]["command"]].params
            (argument,) = message["params"]["arguments"]
            declared.model_validate(argument)
        elif method in protocol.NOTIFICATIONS:
            shape = protocol.NOTIFICATIONS[method].model_validate(message["params"])
            assert shape.model_dump() == message["params"]
        elif "error" in message:
            assert message["error"]["code"] == protocol.REQUEST_FAILED
            protocol.ErrorData.model_validate(message["error"]["data"])
        elif arrow == "←" and not method and asked[message["id"]]["method"] == "workspace/executeCommand":
            answer = protocol.COMMANDS[asked[message["id"]]["params"]["command"]].result
            assert answer.model_validate(message["result"]).model_dump() == message["result"]
        elif method == "initialize":
            assert message["params"]["initializationOptions"]["mux"]["protocol"] == protocol.PROTOCOL_VERSION
    assert {"→initialize", "→workspace/executeCommand", "←mux/runChanged", "←workspace/applyEdit"} <= seen
    assert len(messages()) == 19


@pytest.mark.parametrize(
    ("change", "shows"),
    [
        (lambda document: document.replace("| `hunks` | `integer` |", "| `hunks` | `string` |"), "a type"),
        (lambda document: document.replace('optional, `"own"` if left out', ""), "what is optional"),
        (lambda document: document.replace("`mux.task.delete` |", "`mux.task.remove` |"), "a name"),
        (
            lambda document: document.replace(
                "[AcceptResult](#acceptresult) | writes |", "[AcceptResult](#acceptresult) | reads |"
            ),
            "an effect",
        ),
        (lambda document: document.replace("An agent by its configured name", "An agent"), "words"),
    ],
)
def test_a_difference_is_noticed(change: Any, shows: str) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    changed = change(document)
    assert changed != document, shows
    assert updated(changed) != changed, shows
