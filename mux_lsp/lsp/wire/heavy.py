"""Work that grows with a message: when it is too much for the event loop, and the threads that do it then."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

LARGE = 64 * 1024
"""Bytes of a message, or characters of a document, from which on work on it is done in a thread."""

_PART = 16
"""Characters that a value counts for beside those of its text."""

# Not the threads of everybody, which a few large messages would all take; and answers do not wait for what comes in.
_incoming = ThreadPoolExecutor(4, "large-message")
_outgoing = ThreadPoolExecutor(4, "large-answer")


async def in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Do some work on what a client has sent beside the event loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_incoming, lambda: work(*arguments, **named))


def encode(work: Callable[[], T]) -> asyncio.Future[T]:
    """Begin to encode an answer beside the event loop."""
    return asyncio.get_running_loop().run_in_executor(_outgoing, work)


def drop(held: list[Any]) -> None:
    """Free large values in a thread, of which the list has the last references: that too takes time."""
    _incoming.submit(held.clear)


def is_large(value: object, limit: int = LARGE) -> bool:
    """Whether a value takes long to encode, by its texts and the number of its parts. Looks no further than it must."""
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        limit -= _PART
        parts: Any = ()
        if isinstance(one, str):
            limit -= len(one)
        elif isinstance(one, dict):
            parts = one.values()
        elif isinstance(one, list | tuple):
            parts = one
        elif isinstance(one, BaseModel):
            parts = one.__dict__.values()
        elif (fields := getattr(type(one), "__attrs_attrs__", None)) is not None:
            parts = [getattr(one, field.name) for field in fields]
        if limit < _PART * len(parts):
            return True
        waiting += parts
    return False
