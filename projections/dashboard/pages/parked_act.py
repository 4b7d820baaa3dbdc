"""One action on one parked message, and its answer."""

from collections.abc import Callable

from dash.development.base_component import Component

from ordersaga.http.parked_views import Done
from projections.dashboard.components import parked_actions
from projections.dashboard.services import ParkedPlace, ServiceRefused, Services
from projections.dashboard.viewer import viewer


def is_missing(reason: str | None) -> bool:
    return not (reason or "").strip()


def act(services: Services, place: ParkedPlace, seen: str, perform: Callable[[str], Done]) -> Component:
    """Perform an action on the message as the person saw it; the answer links to what comes next."""
    token = viewer().token
    try:
        message = services.show(token, place)
        state = perform(seen).state
        then = services.next_of(token, place.service, message)
    except ServiceRefused as problem:
        return parked_actions.answer(str(problem), "bad", "cross")
    links = parked_actions.following(place.service, message, then)
    return parked_actions.answer(parked_actions.OUTCOMES[state], "good", "check", links)
