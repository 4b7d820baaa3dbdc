"""The pictures of docs/BENCHMARKS.md, from the figures that the benchmarks keep."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.svg import COLOURS, INK, Picture, Scale, grid

LIGHT, DARK = "#97bbf5", "#4269d0"
PANELS = (
    ("sagas_per_s", "sagas a second"),
    ("saga_cpu_at_20_per_s_ms", "ms of CPU at 20/s"),
    ("saga_at_20_per_s_p50_ms", "p50 at 20/s, ms"),
    ("saga_at_20_per_s_p99_ms", "p99 at 20/s, ms"),
    ("saga_at_50_per_s_p99_ms", "p99 at 50/s, ms"),
)
KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("Postgres", lambda name: name == "postgres"),
    ("RabbitMQ", lambda name: name in ("rabbitmq", "epmd")),
    ("relays", lambda name: name.endswith("-relay")),
    ("orders API", lambda name: name == "orders-api"),
    ("workers", lambda name: name.endswith("-worker") and not name.startswith("projections")),
    ("read side", lambda name: name.startswith("projections")),
    ("other", lambda _: True),
)


def row(step: dict[str, Any], name: str) -> float:
    return float(next(each["value"] for each in step["rows"] if each["name"] == name))


def steps(found: Sequence[dict[str, Any]]) -> str:
    """A panel for each figure, a bar for each step."""
    width, height, top, bar = 230, 60 + 22 * len(found), 34, 16
    picture = Picture(150 + width * len(PANELS), height, "Each step of the work")
    for number, step in enumerate(found):
        picture.text(140, top + 22 * number + 13, step["step"], "end")
    for panel, (name, title) in enumerate(PANELS):
        left = 150 + panel * width
        figures = [row(step, name) for step in found]
        picture.text(left, 20, title)
        for number, figure in enumerate(figures):
            y, long = top + 22 * number, figure / max(figures) * (width - 80)
            picture.rectangle(left, y, long, bar, DARK if number == len(found) - 1 else LIGHT)
            picture.text(left + long + 4, y + 13, f"{figure:.3g}" if figure < 1000 else f"{figure:,.0f}")
    return str(picture)


def by_kind(processes: dict[str, float]) -> list[float]:
    totals = [0.0] * len(KINDS)
    for name, milliseconds in processes.items():
        totals[next(number for number, (_, is_it) in enumerate(KINDS) if is_it(name))] += milliseconds
    return totals


def cpu(found: Sequence[dict[str, Any]]) -> str:
    """Stacked bars: each load of the first and of the last of these."""
    compared = [found[0], found[-1]] if len(found) > 1 else list(found)
    bars = [
        (f"{step['step']}, {load}", by_kind(step["cpu_ms"][load]))
        for load in compared[0]["cpu_ms"]
        for step in compared
    ]
    picture = Picture(900, 70 + 26 * len(bars), "Milliseconds of CPU for one saga, by process")
    picture.legend(170, 24, [(name, COLOURS[number]) for number, (name, _) in enumerate(KINDS)], 100)
    largest = max(sum(parts) for _, parts in bars)
    for number, (name, parts) in enumerate(bars):
        x, y = 170.0, 40 + 26 * number
        picture.text(160, y + 14, name, "end")
        for kind, part in enumerate(parts):
            picture.rectangle(x, y, long := part / largest * 640, 19, COLOURS[kind])
            x += long
        picture.text(x + 5, y + 14, f"{sum(parts):.1f} ms")
    return str(picture)


def curves(found: Sequence[dict[str, Any]]) -> str:
    """Latency by percentile, of the first (dashed) and of the last of these."""
    compared = [found[0], found[-1]] if len(found) > 1 else list(found)
    lines = [(step, load, curve) for step in compared for load, curve in step["curves"].items()]
    percents = list(lines[0][2])
    picture = Picture(760, 380, "Latency by percentile")
    figures = [value for _, _, curve in lines for value in curve.values() if value != float("inf")]
    scale = Scale(figures, 340, 60, logarithmic=True)
    grid(picture, scale, 60, 740, "ms (logarithmic)")
    places = {percent: 80 + number * 640 / (len(percents) - 1) for number, percent in enumerate(percents)}
    for percent, x in places.items():
        picture.text(x, 362, f"p{percent}", "middle")
    loads = list(compared[0]["curves"])
    for step, load, curve in lines:
        points = [(places[percent], scale(min(value, max(figures)))) for percent, value in curve.items()]
        picture.line(points, COLOURS[loads.index(load)], dashed=step is not compared[-1])
    picture.legend(220, 24, [(load, COLOURS[number]) for number, load in enumerate(loads)], 90)
    if len(compared) > 1:
        picture.text(500, 24, f"dashed: {compared[0]['step']}")
    return str(picture)


def steady(found: dict[str, Any]) -> str:
    """Latency of each window, and the memory of all processes below."""
    windows = found["windows"]
    picture = Picture(900, 400, "80 % of the sustained rate")
    times = Scale([window["seconds"] for window in windows], 60, 880)
    latency = Scale([window["p99_ms"] for window in windows], 220, 50)
    grid(picture, latency, 60, 880, "ms")
    memory = Scale([window["memory_mb"] for window in windows], 370, 270)
    grid(picture, memory, 60, 880, "MB, all processes")
    for name, scale, colour in (
        ("p50_ms", latency, COLOURS[0]),
        ("p99_ms", latency, COLOURS[2]),
        ("memory_mb", memory, COLOURS[4]),
    ):
        picture.line([(times(window["seconds"]), scale(window[name])) for window in windows], colour)
    picture.legend(640, 24, [("p50", COLOURS[0]), ("p99", COLOURS[2]), ("memory", COLOURS[4])], 80)
    for tick in times.ticks:
        picture.text(times(tick), 390, f"{tick:g} s", "middle", INK)
    return str(picture)
