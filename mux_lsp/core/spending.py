"""Sum what runs have spent, in dollars and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """Unit of spending."""

    USD = "usd"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens, and dollars as far as agents have reported any."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, more: Spent) -> Spent:
        return Spent(self.usd + more.usd, self.tokens + more.tokens)

    def of(self, unit: Unit) -> float:
        """Return the amount in this unit."""
        return self.usd if unit is Unit.USD else self.tokens


NO_SPENDING: Final = Spent()


def amount(unit: Unit, value: float) -> str:
    """Return an amount in words: `$4.10`, `$0.0031`, `12,500 tokens`."""
    if unit is Unit.TOKENS:
        return f"{value:,.0f} tokens"
    return f"${value:,.2f}" if value >= 0.1 or not value else f"${value:.4f}"
