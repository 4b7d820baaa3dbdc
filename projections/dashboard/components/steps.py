"""The four steps and the way back: of one order, and of all that are under way."""

from datetime import datetime

from dash.development.base_component import Component

from projections.dashboard.components import orders, words
from projections.dashboard.components.flow import Look, Step, flow
from projections.queries.figures import Counts
from projections.queries.sagas import Saga, Waiting
from projections.queries.timeline import Step as SagaStep
from projections.queries.timeline import StepState, Timeline

NAMES = {"placed": "Placed", "reserved": "Stock reserved", "charged": "Payment captured", "confirmed": "Confirmed"}
FAILED = {"reserved": "Stock rejected", "charged": "Payment declined"}
LOOKS: dict[StepState, Look] = {
    "done": "done",
    "in_progress": "now",
    "failed": "failed",
    "compensating": "undone",
    "compensated": "undone",
    "not_reached": "idle",
}


def of_order(timeline: Timeline) -> Component:
    """How far one order is, and what was undone of it."""
    return flow([forward(step, timeline) for step in timeline.steps], back(timeline.saga), "Steps of this order")


def forward(step: SagaStep, timeline: Timeline) -> Step:
    name = FAILED[step.name] if step.state == "failed" else NAMES[step.name]
    if step.state == "in_progress":
        slow = timeline.saga.overdue or orders.is_slow(timeline.saga, timeline.usual)
        return Step(name, "now", note=orders.waiting(timeline.saga, timeline.usual), late=slow)
    return Step(name, LOOKS[step.state], note=[words.moment(step.at, fine=True), *because(step)] if step.at else "")


def because(step: SagaStep) -> list[Component | str]:
    return [", ", words.plainly(step.reason).lower()] if step.state == "failed" and step.reason else []


def back(saga: Saga) -> list[Step]:
    """What was undone; it is drawn below the step that failed and those before it."""
    if not saga.cancelled_at:
        return []
    note = [words.moment(saga.cancelled_at, fine=True), f", {orders.why(saga).lower()}"]
    refund = undoing("Money given back", saga.captured_at or saga.late_charge_at, saga.refunded_at)
    release = undoing("Stock released", saga.reserved_at, saga.released_at)
    return [Step("Order cancelled", "undone", note=note), *(step for step in (refund, release) if step)]


def undoing(name: str, done_at: datetime | None, undone_at: datetime | None) -> Step | None:
    if not done_at:
        return None
    return (
        Step(name, "undone", note=words.moment(undone_at, fine=True))
        if undone_at
        else Step(name, "now", note="under way")
    )


def of_all(counts: Counts) -> Component:
    """Where the orders under way are."""
    waits = counts.waiting

    def step(name: str, waits_for: Waiting, note: str, picture: str, *, back: bool = False) -> Step:
        number = waits.get(waits_for, 0)
        return Step(name, "idle" if not number else "undone" if back else "now", words.count(number), note, picture)

    return flow(
        [
            step("Placed", "stock", "wait for stock", "cart"),
            step("Stock reserved", "payment", "wait for the card", "box"),
            step("Payment captured", "confirmation", "wait for confirmation", "card"),
            step("Confirmed", "shipment", "wait for shipment", "truck"),
        ],
        [
            step("Cancel", "cancellation", "declined or out of stock", "back", back=True),
            step("Refund", "refund", "wait for their money", "card", back=True),
            step("Release stock", "release", "wait for release", "box", back=True),
        ],
        "Orders by step, and the way back",
    )
