"""Detect work on messages that is too large for the event loop, and run it in threads."""

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
"""Size from which work runs in a thread: bytes of a message, or characters of a document."""

_PART = 16
"""Number of characters that each value counts for, in addition to its text."""

# Not the default executor, which a few large messages would fill. Answers must not wait for incoming messages.
_incoming = ThreadPoolExecutor(4, "large-message")
_outgoing = ThreadPoolExecutor(4, "large-answer")


async def in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run work on a client's message in a thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_incoming, lambda: work(*arguments, **named))


def encode(work: Callable[[], T]) -> asyncio.Future[T]:
    """Start encoding an answer in a thread."""
    return asyncio.get_running_loop().run_in_executor(_outgoing, work)


def drop(held: list[Any]) -> None:
    """Free large values in a thread, because that too takes time. The list must hold the last references to them."""
    _incoming.submit(held.clear)


def is_large(value: object, limit: int = LARGE) -> bool:
    """Return whether a value takes long to encode, by its texts and the number of its parts. Stops once it is."""
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
