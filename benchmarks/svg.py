"""Small SVG pictures: rectangles, lines and texts.

Written out because the usual libraries would put some ten packages and 100 MB into every test environment for four
pictures.
"""

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from xml.sax.saxutils import escape

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e", "#ff8ab7", "#9498a0")
INK, PALE = "#57606a", "#d0d7de"
FONT = "font-family='system-ui,sans-serif' font-size='12'"

Point = tuple[float, float]


class Picture:
    """Grows as things are drawn; the origin is the upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' {FONT}>"
        self._parts = [f"<title>{escape(title)}</title>", f"<rect width='{width}' height='{height}' fill='#fff'/>"]

    def rectangle(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        size = f"x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}'"
        self._parts.append(f"<rect {size} fill='{colour}'/>")

    def text(self, x: float, y: float, text: str, anchor: str = "start", colour: str = INK) -> None:
        place = f"x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'"
        self._parts.append(f"<text {place} fill='{colour}'>{escape(text)}</text>")

    def line(self, points: Iterable[Point], colour: str, width: float = 2, dashed: bool = False) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = " stroke-dasharray='5 4'" if dashed else ""
        style = f"fill='none' stroke='{colour}' stroke-width='{width}'{dashes}"
        self._parts.append(f"<polyline points='{path}' {style}/>")

    def legend(self, x: float, y: float, names: Sequence[tuple[str, str]], width: float) -> None:
        """Names with their colours, each `width` from the next."""
        for number, (name, colour) in enumerate(names):
            self.rectangle(x + number * width, y - 10, 10, 10, colour)
            self.text(x + number * width + 15, y, name)

    def __str__(self) -> str:
        return "\n".join([self._head, *self._parts, "</svg>"]) + "\n"


class Scale:
    """From figures to places along one axis; `low` and `high` are the places of its ends."""

    def __init__(self, figures: Sequence[float], low: float, high: float, logarithmic: bool = False) -> None:
        self._low, self._high, self._log = low, high, logarithmic
        largest = max(figures, default=1) or 1
        self._from, self._to = 0.0, largest
        if logarithmic:
            first, last = floor(log10(max(min(figures), 0.1))), ceil(log10(largest))
            last = max(last, first + 1)
            self._from, self._to = float(first), float(last)
            self.ticks = [10.0**power for power in range(first, last + 1)]
        else:
            step = nice(largest / 4)
            self._to = ceil(largest / step) * step
            self.ticks = [number * step for number in range(round(self._to / step) + 1)]

    def __call__(self, figure: float) -> float:
        at = log10(max(figure, 10.0**self._from)) if self._log else figure
        return self._low + (at - self._from) / (self._to - self._from) * (self._high - self._low)


def nice(step: float) -> float:
    """The next of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= step)


def grid(picture: Picture, scale: Scale, left: float, right: float, unit: str) -> None:
    """Horizontal lines at the ticks."""
    for tick in scale.ticks:
        picture.line([(left, scale(tick)), (right, scale(tick))], PALE, 1)
        picture.text(left - 6, scale(tick) + 4, f"{tick:g}", "end")
    picture.text(left, scale(scale.ticks[-1]) - 8, unit)
