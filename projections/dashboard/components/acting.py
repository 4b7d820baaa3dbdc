"""Buttons by which operators act: one that cannot do anything now is disabled, and its title says why."""

from collections.abc import Sequence
from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components.basic import button, press

REASON_MISSING = "Enter a reason first: it is recorded with your name."


@dataclass(frozen=True)
class ActButtons:
    """The buttons of one page; a press stands in `store` as the verb and what it is about."""

    store: str
    denied: str
    """What those read who may not act."""
    may_act: bool

    def one(
        self, text: str, verb: str, icon: str, allowed: bool = True, why_not: str = "", look: str = ""
    ) -> Component:
        why = why_not if self.may_act else self.denied
        return button(text, press(self.store, verb), icon, allowed=allowed and self.may_act, why_not=why, look=look)

    def row(self, shown: Sequence[Component]) -> list[Component]:
        """These, and beside them why nobody but operators may press them."""
        return [*shown] if self.may_act else [*shown, html.Span(self.denied, className="muted small")]
