"""Recovery: seconds from the last heal until everything is ready and a new order is confirmed."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

import requests

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.checker.settle import not_ready
from devstack.chaos.client import RecordedClient
from devstack.chaos.history import History, Operation
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import Offence, Verdict
from devstack.demo.shop import ServiceRefused

QUESTION = "Is everything ready again after the last heal, and the first order placed then confirmed?"
FILE = "recovery.json"
CUSTOMER = "chaos-first"
SKU, UNITS, UNIT_PRICE = "chaos-first", 10, 500
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Recovery:
    """Seconds after the last heal; None: not within the limit."""

    limit: float
    ready: float | None = None
    confirmed: float | None = None
    order_id: str = ""
    lacks: str = ""
    """What was still missing at the limit."""


def recover(stage: Stage, history: History, limit: float = 120) -> Recovery:
    """Call it right after the last heal: wait until all is ready, place an order, and wait for its confirmation.

    What it finds is also in the stage's directory, for the verdict. A load may go on meanwhile.
    """
    began = time.monotonic()
    end = began + limit
    ready, lacks = None, ""
    while ready is None and time.monotonic() < end:
        lacks = " ".join(not_ready(stage))
        if lacks:
            time.sleep(POLL_SECONDS)
        else:
            ready = round(time.monotonic() - began, 1)
    found = Recovery(limit, ready, lacks=lacks)
    if ready is not None:
        order_id, said = confirm_one(stage, history, end)
        confirmed = None if said else round(time.monotonic() - began, 1)
        found = Recovery(limit, ready, confirmed, order_id, said)
    (stage.directory / FILE).write_text(json.dumps(asdict(found)))
    return found


def confirm_one(stage: Stage, history: History, end: float) -> tuple[str, str]:
    """The id of an order that is placed now, and why it is not confirmed at the end; empty when it is."""
    client = RecordedClient.of(stage, history)
    sends: tuple[Callable[[], Operation], ...] = (
        lambda: client.price(SKU, UNIT_PRICE),
        lambda: client.receive(SKU, UNITS),
        lambda: client.place(CUSTOMER, [(SKU, 1)]),
    )
    order_id = ""
    for send in sends:
        while (done := send()).outcome != "ok":
            if time.monotonic() > end:
                return "", done.error
            time.sleep(POLL_SECONDS)
        order_id = done.answer.get("order_id", "")
    shop, state = stage.scene.make_shop(), ""
    while time.monotonic() < end:
        try:
            state = shop.order_of(CUSTOMER, UUID(order_id))["state"]
        except (ServiceRefused, requests.RequestException) as error:
            state = str(error)
        if state == "confirmed":
            return order_id, ""
        time.sleep(POLL_SECONDS)
    return order_id, f"order {order_id} is {state}"


def recovery(evidence: Evidence) -> Verdict:
    path = evidence.directory / FILE if evidence.directory else None
    return judge(read(path) if path and path.exists() else None)


def read(path: Path) -> Recovery:
    return Recovery(**json.loads(path.read_text()))


def judge(found: Recovery | None) -> Verdict:
    """None: nothing was harmed, so there was nothing to recover from."""
    if found is None:
        return Verdict("recovery", QUESTION)
    figures = {"seconds until ready": found.ready, "seconds until confirmed": found.confirmed}
    counts = {name: value for name, value in figures.items() if value is not None}
    if found.confirmed is not None:
        return Verdict("recovery", QUESTION, counts)
    subject = f"order {found.order_id}" if found.order_id else "stack"
    detail = f"not recovered {found.limit:g} s after the last heal: {found.lacks}"
    return Verdict("recovery", QUESTION, counts, [Offence(subject, detail)])
