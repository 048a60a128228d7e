"""Numbers as the reports and the command line print them."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """About four significant digits; a dash for what is not defined."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1e15:
        text = f"{size:.3e}"
    elif size >= 1000:
        text = f"{size:,.0f}"
    else:
        digits = 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 0.1 else None
        text = f"{size:.3g}" if digits is None else f"{size:.{digits}f}"
    return f"−{text}" if value < 0 else text


def signed(value: float) -> str:
    """The same, with a plus too."""
    return f"+{number(value)}" if value >= 0 and math.isfinite(value) else number(value)


def percent(share: float) -> str:
    """A share of one as a percentage with one decimal."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "–"


def count(quantity: int, singular: str, plural: str | None = None) -> str:
    """A quantity with its noun: `1 window`, `1,240 windows`."""
    return f"{quantity:,} {singular if quantity == 1 else plural or singular + 's'}"
