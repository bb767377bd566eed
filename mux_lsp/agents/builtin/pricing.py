"""Calculate the cost of requests to the Messages API, from the prices published in November 2026.

A model that is not listed has no known cost. This is reported, and no cost is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mux_lsp.agents.events import Usage

MILLION: Final = 1_000_000

CACHE_WRITE: Final = 1.25
"""The price of a token that is written to the cache for five minutes, as a multiple of the price of an input token."""


@dataclass(frozen=True, slots=True)
class Price:
    """Prices in dollars for a million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float

    def of(self, usage: Usage) -> float:
        """Return the cost of a request in dollars."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        ) / MILLION


def _price(given: float, got: float, read: float = 0.1) -> Price:
    return Price(given, got, given * read, given * CACHE_WRITE)


_PRICES: Final = {
    "claude-fable-5-1": _price(10, 50, 0.025),
    "claude-fable-5": _price(10, 50),
    "claude-mythos-5-1": _price(10, 50, 0.025),
    "claude-mythos-5": _price(10, 50),
    "claude-opus-5-5": _price(4, 20, 0.05),
    "claude-opus-5": _price(5, 25),
    "claude-opus-4-8": _price(5, 25),
    "claude-opus-4-7": _price(5, 25),
    "claude-opus-4-6": _price(5, 25),
    "claude-opus-4-5": _price(5, 25),
    "claude-sonnet-5-5": _price(2, 10, 0.05),
    "claude-sonnet-5": _price(2, 10),
    "claude-sonnet-4-6": _price(3, 15),
    "claude-sonnet-4-5": _price(3, 15),
    "claude-haiku-5-5": _price(0.10, 0.50),
    "claude-haiku-4-5": _price(1, 5),
}

_LONG: Final = {"claude-haiku-5-5": (100_000, _price(0.50, 2.50))}
"""Models with a higher price for long prompts: the number of tokens above which it applies, and the price."""


def price_of(model: str, usage: Usage) -> Price | None:
    """Return the price of a request to a model, or None if it is not known."""
    name = next((one for one in _PRICES if model == one or model.startswith(f"{one}-20")), None)
    if name is None:
        return None
    limit, long = _LONG.get(name, (None, None))
    if limit is not None and usage.input + usage.cache_read + usage.cache_write > limit:
        return long
    return _PRICES[name]


def priced(model: str, usage: Usage) -> Usage:
    """Return the usage with its cost, if the price is known."""
    price = price_of(model, usage)
    return usage if price is None else replace(usage, cost_usd=price.of(usage))
