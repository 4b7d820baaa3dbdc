"""One action on one parked message, and its answer."""

from collections.abc import Callable

from dash.development.base_component import Component

from ordersaga.http.parked_views import Done
from projections.dashboard.components import parked_actions
from projections.dashboard.services import ParkedPlace, ServiceRefused, Services
from projections.dashboard.viewer import viewer


def is_missing(reason: str | None) -> bool:
    return not (reason or "").strip()


def act(services: Services, place: ParkedPlace, perform: Callable[[], Done]) -> Component:
    """Perform an action on a message; the answer links to what comes next, also when the message has gone."""
    token = viewer().token
    try:
        message = services.show(token, place)
    except ServiceRefused as problem:
        return parked_actions.answer(str(problem), "bad", "cross")
    try:
        text, done = parked_actions.OUTCOMES[perform().state], True
    except ServiceRefused as problem:
        text, done = str(problem), False
        if not problem.is_gone:
            return parked_actions.answer(text, "bad", "cross")
    links = parked_actions.following(place.service, message, services.next_of(token, place.service, message))
    return parked_actions.answer(text, "good" if done else "info", "check", links)
