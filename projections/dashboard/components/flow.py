"""The saga's four steps from left to right, and below them the way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components.basic import Content, aria, icon

Look = Literal["done", "now", "failed", "undone", "idle"]
PICTURES = {"done": "check", "now": "clock", "failed": "cross", "undone": "back", "idle": "dot"}
SAID = {"done": "done", "now": "under way", "failed": "failed", "undone": "undone", "idle": "not reached"}


@dataclass(frozen=True)
class Step:
    """A box of the flow; `picture` replaces that of the look, `late` colours the note."""

    name: str
    look: Look
    value: Content = None
    note: Content = None
    picture: str = ""
    late: bool = False


def flow(forward: Sequence[Step], back: Sequence[Step | None], label: str) -> html.Div:
    """`back` stands under `forward`, from left to right as it is seen; it is walked from right to left."""
    steps = [box(step, "forward") for step in forward]
    first = next((place for place, step in enumerate(back) if step), 0)
    steps += [
        box(step, "back flow-back-last" if place == first else "back")
        if step
        else html.Li(className="flow-gap", **aria(hidden="true"))
        for place, step in enumerate(back)
    ]
    return html.Div(html.Ol(steps, className="flow", **aria(label=label)))


def box(step: Step, way: str) -> html.Li:
    name: list[Component | str] = [icon(step.picture or PICTURES[step.look]), step.name]
    if not step.picture:
        name.append(html.Span(f" ({SAID[step.look]})", className="hidden-text"))
    late = " flow-late" if step.late else ""
    return html.Li(
        [
            html.Span(name, className="flow-name"),
            html.Span(step.value, className="flow-value"),
            html.Span(step.note, className="flow-note"),
        ],
        className=f"flow-step flow-{way} flow-{step.look}{late}",
    )
