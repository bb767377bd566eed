"""Test that every text and every list from a client has a bound, and that a larger one is refused with a reason."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import pytest
from annotated_types import MaxLen
from pydantic import StringConstraints

from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.session import _argument

if TYPE_CHECKING:
    from collections.abc import Iterator

PARAMS: list[type[protocol.Params]] = [
    one for one in vars(protocol).values() if inspect.isclass(one) and issubclass(one, protocol.Params)
]


def unbounded(annotation: Any, constraints: list[Any]) -> Iterator[str]:
    """Yield the parts of a type that have no bound, given its constraints."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    asked = [part for one in constraints for part in (one, *getattr(one, "metadata", ()))]
    if origin is Annotated:
        yield from unbounded(arguments[0], [*constraints, *arguments[1:]])
    elif origin is Literal or annotation in {int, float, bool, type(None)}:
        pass
    elif annotation is str:
        if not any(isinstance(one, StringConstraints) and one.max_length for one in asked):
            yield "a text"
    elif origin is list:
        if not any(isinstance(one, MaxLen) for one in asked):
            yield "a list"
        yield from unbounded(arguments[0], [])
    elif arguments and origin is not dict:
        for argument in arguments:
            yield from unbounded(argument, constraints)
    elif not (inspect.isclass(annotation) and issubclass(annotation, protocol.Params)):
        yield f"{annotation}, of which this test knows no bound"


@pytest.mark.parametrize("params", PARAMS, ids=lambda params: params.__name__)
def test_every_text_and_list_has_a_bound(params: type[protocol.Params]) -> None:
    found = {name: [*unbounded(field.annotation, field.metadata)] for name, field in params.model_fields.items()}
    assert {name: missing for name, missing in found.items() if missing} == {}


@pytest.mark.parametrize(
    ("annotation", "missing"),
    [
        (str, ["a text"]),
        (str | None, ["a text"]),
        (list[protocol.Id], ["a list"]),
        (Annotated[list[str], MaxLen(3)], ["a text"]),
        (protocol.Ids, []),
        (protocol.Ids | None, []),
        (dict[str, int], ["dict[str, int], of which this test knows no bound"]),
        (Any, ["typing.Any, of which this test knows no bound"]),
    ],
)
def test_a_missing_bound_is_found(annotation: Any, missing: list[str]) -> None:
    assert [*unbounded(annotation, [])] == missing


@pytest.mark.parametrize(
    ("name", "argument", "sentence"),
    [
        ("mux.task.get", {"task": "x" * 1000}, "mux.task.get: task: string should have at most 200 characters."),
        ("mux.run.get", {"run": "r", "x" * 1000: 1}, f"mux.run.get: {'x' * 100}…: extra inputs are not permitted."),
        (
            "mux.run.reject",
            {"run": "r", "paths": ["p"] * 100_001},
            "mux.run.reject: paths: list should have at most 100000 items after validation, not 100001.",
        ),
        (
            "mux.run.diff",
            {"run": "r", "paths": ["p", "p" * 20_000]},
            "mux.run.diff: paths.1: string should have at most 16384 characters.",
        ),
    ],
)
def test_what_is_over_its_bound_is_not_repeated(name: str, argument: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        _argument(name, protocol.COMMANDS[name].params, (argument,))
    assert str(refused.value) == sentence
