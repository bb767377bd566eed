"""Convert frozen dataclasses to JSON and back: strict about types, tolerant of fields that another version added.

A field that this version does not know is ignored; a missing one takes its default. Anything else that does not fit
raises a ValueError which names the place.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections import OrderedDict
from enum import StrEnum
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

    Decoder = Callable[[object, str], object]

T = TypeVar("T")


def dumps(value: object) -> str:
    """Return ASCII JSON of dataclasses, enums, tuples, lists, dicts and plain values.

    The surrogates with which a `str` carries bytes that are not UTF-8 survive. Raises TypeError for other types,
    ValueError for NaN and infinity.
    """
    return json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


class Memory:
    """Cache for the JSON of large values that are stored repeatedly. They must not change. Thread-safe."""

    def __init__(self, most: int) -> None:
        """Keep the last `most` values."""
        self._most = most
        self._known: OrderedDict[int, tuple[object, str]] = OrderedDict()
        self._lock = Lock()

    def dumps(self, value: object) -> str:
        """Return the JSON of the value, as the function of this name does."""
        with self._lock:
            known = self._known.get(id(value))
        if known is not None and known[0] is value:
            return known[1]
        encoded = dumps(value)
        with self._lock:
            self._known[id(value)] = value, encoded
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return encoded


def loads(kind: type[T], text: str) -> T:
    """Return a value of dataclass `kind` from the output of `dumps`. Raises ValueError if the text does not fit."""
    decodable: Any = kind  # mypy does not accept type[T] as hashable
    value = decoder(decodable)(json.loads(text), kind.__name__)
    assert isinstance(value, kind)  # noqa: S101  # a decoder gives its own kind
    return value


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} cannot be stored.")


@lru_cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@lru_cache
def decoder(kind: Any) -> Decoder:
    """Return the function that turns plain JSON into `kind`. Its second argument is the place to name in errors."""
    if kind in {str, int, bool, type(None)}:
        return _exactly(kind)
    if kind is float:
        return _float
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return _tuple(decoder(arguments[0]))
    if origin in {Union, types.UnionType} and len(arguments) == 2 and type(None) in arguments:
        (other,) = (argument for argument in arguments if argument is not type(None))
        return _optional(decoder(other))
    raise TypeError(f"{kind!r} cannot be stored.")


def _exactly(kind: type) -> Decoder:
    def decode(value: object, place: str) -> object:
        if type(value) is not kind:
            raise ValueError(f"{place}: {kind.__name__} expected, not {type(value).__name__}")
        return value

    return decode


def _float(value: object, place: str) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{place}: number expected, not {type(value).__name__}")
    return float(value)


def _enum(kind: type[StrEnum]) -> Decoder:
    values: dict[object, StrEnum] = {member.value: member for member in kind}

    def decode(value: object, place: str) -> object:
        if not isinstance(value, str) or value not in values:
            raise ValueError(f"{place}: {value!r} is no {kind.__name__}")
        return values[value]

    return decode


def _tuple(item: Decoder) -> Decoder:
    def decode(value: object, place: str) -> object:
        if not isinstance(value, list):
            raise ValueError(f"{place}: list expected, not {type(value).__name__}")
        return tuple([item(one, place) for one in value])

    return decode


def _optional(other: Decoder) -> Decoder:
    def decode(value: object, place: str) -> object:
        return None if value is None else other(value, place)

    return decode


def _dataclass(kind: type) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {name: decoder(hints[name]) for name in _names(kind)}
    required = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]

    def decode(value: object, place: str) -> object:
        if not isinstance(value, dict):
            raise ValueError(f"{place}: object expected, not {type(value).__name__}")
        for name in required:
            if name not in value:
                raise ValueError(f"{place}.{name}: missing")
        return kind(
            **{name: decode(value[name], f"{place}.{name}") for name, decode in decoders.items() if name in value}
        )

    return decode
