"""Pure: figures → the bars of a small chart. The template draws them; a table beside it tells the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 96
_GAP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """x, y, width, height: in units of the drawing, as text, for a page would write 1000 as 1,000."""

    label: str
    value: int
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """total 0: there is nothing to draw. highest: what the full height means."""

    bars: Sequence[Bar]
    total: int
    highest: int
    width: str = str(WIDTH)
    height: str = str(HEIGHT)


def bar_chart(rows: Sequence[tuple[str, int]]) -> Chart:
    """A bar for each (label, value), the highest as high as the drawing; something is never drawn as nothing."""
    highest = max((value for _, value in rows), default=0)
    step = WIDTH / max(1, len(rows))
    bars = []
    for number, (label, value) in enumerate(rows):
        height = max(2, round(value * HEIGHT / highest)) if value else 0
        bars.append(
            Bar(
                label=label,
                value=value,
                x=f"{number * step:.1f}",
                y=str(HEIGHT - height),
                width=f"{step - _GAP:.1f}",
                height=str(height),
            )
        )
    return Chart(bars=bars, total=sum(value for _, value in rows), highest=highest)
