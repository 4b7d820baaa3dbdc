"""The saga's four steps from left to right, and below them its compensation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components.basic import Content, aria, icon

Look = Literal["done", "now", "failed", "compensated", "idle"]
ICONS = {"done": "check", "now": "clock", "failed": "cross", "compensated": "back", "idle": "dot"}
SAID = {"done": "done", "now": "in progress", "failed": "failed", "compensated": "compensated", "idle": "not reached"}


@dataclass(frozen=True)
class Step:
    """A box of the flow; `icon_name` replaces the icon of the look, `late` colours the note."""

    name: str
    look: Look
    value: Content = None
    note: Content = None
    icon_name: str = ""
    late: bool = False


def flow(forward: Sequence[Step], compensation: Sequence[Step], label: str) -> html.Div:
    """`compensation` is drawn in its order from right to left, and ends below the second step."""
    steps = [box(step, "forward", place) for place, step in enumerate(forward, 1)]
    steps += [box(step, "compensation", len(compensation) + 1 - place) for place, step in enumerate(compensation)]
    return html.Div(html.Ol(steps, className="flow", **aria(label=label)))


def box(step: Step, way: str, column: int) -> html.Li:
    name: list[Component | str] = [icon(step.icon_name or ICONS[step.look]), step.name]
    if not step.icon_name:
        name.append(html.Span(f" ({SAID[step.look]})", className="hidden-text"))
    late = " flow-late" if step.late else ""
    return html.Li(
        [
            html.Span(name, className="flow-name"),
            html.Span(step.value, className="flow-value"),
            html.Span(step.note, className="flow-note"),
        ],
        className=f"flow-step flow-{way} flow-{step.look}{late}",
        style={"gridColumn": column},
    )
