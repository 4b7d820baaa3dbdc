"""The four steps and the compensation: of one order, and of all unfinished orders."""

from datetime import datetime

from dash.development.base_component import Component

from projections.dashboard.components import orders, words
from projections.dashboard.components.flow import Look, Step, flow
from projections.queries.figures import Counts
from projections.queries.sagas import Saga, Waiting
from projections.queries.timeline import SagaStep, StepState, Timeline

NAMES = {"placed": "Placed", "reserved": "Stock reserved", "charged": "Payment captured", "confirmed": "Confirmed"}
FAILED = {"reserved": "Stock rejected", "charged": "Payment declined"}
LOOKS: dict[StepState, Look] = {
    "done": "done",
    "in_progress": "now",
    "failed": "failed",
    "compensating": "compensated",
    "compensated": "compensated",
    "not_reached": "idle",
}


def of_order(timeline: Timeline) -> Component:
    """The steps of one order and their compensation."""
    return flow(
        [forward(step, timeline) for step in timeline.steps], compensation(timeline.saga), "Steps of this order"
    )


def forward(step: SagaStep, timeline: Timeline) -> Step:
    name = FAILED[step.name] if step.state == "failed" else NAMES[step.name]
    if step.state == "in_progress":
        slow = timeline.saga.overdue or orders.is_slow(timeline.saga, timeline.usual)
        return Step(name, "now", note=orders.waiting(timeline.saga, timeline.usual), late=slow)
    return Step(name, LOOKS[step.state], note=[words.moment(step.at, fine=True), *because(step)] if step.at else "")


def because(step: SagaStep) -> list[Component | str]:
    return [", ", words.plainly(step.reason).lower()] if step.state == "failed" and step.reason else []


def compensation(saga: Saga) -> list[Step]:
    """Empty unless the order is cancelled."""
    if not saga.cancelled_at:
        return []
    note = [words.moment(saga.cancelled_at, fine=True), f", {orders.reason(saga).lower()}"]
    refund = refund_step(saga)
    release = compensating("Stock released", saga.reserved_at, saga.released_at)
    return [Step("Order cancelled", "compensated", note=note), *(step for step in (refund, release) if step)]


def refund_step(saga: Saga) -> Step | None:
    if saga.refund == "failed":
        return Step("Refund failed", "failed", note=[words.moment(saga.refund_failed_at, fine=True), ", still owed"])
    if saga.refund == "pending":
        return Step("Payment refunded", "now", note=["pending since ", words.moment(saga.refund_pending_at)])
    return compensating("Payment refunded", saga.captured_at or saga.late_charge_at, saga.refunded_at)


def compensating(name: str, done_at: datetime | None, compensated_at: datetime | None) -> Step | None:
    if not done_at:
        return None
    if not compensated_at:
        return Step(name, "now", note="in progress")
    return Step(name, "compensated", note=words.moment(compensated_at, fine=True))


def of_all(counts: Counts) -> Component:
    """The number of unfinished orders at each step."""
    waits = counts.waiting

    def step(name: str, waits_for: Waiting, note: str, icon_name: str, look: Look = "now") -> Step:
        number = waits.get(waits_for, 0)
        return Step(name, look if number else "idle", words.count(number), note, icon_name)

    return flow(
        [
            step("Placed", "stock", "wait for stock", "cart"),
            step("Stock reserved", "payment", "wait for payment", "box"),
            step("Payment captured", "confirmation", "wait for confirmation", "card"),
            step("Confirmed", "shipment", "wait for shipment", "truck"),
        ],
        [
            step("Cancel", "cancellation", "declined or out of stock", "back", "compensated"),
            step("Refund", "refund", "wait for refund", "card", "compensated"),
            step("Release stock", "release", "wait for release", "box", "compensated"),
        ],
        "Orders by step and by compensation",
    )
