"""Faults of the card processor: it is late, mute, broken, too busy; refunds fail, are disputed, and are made again."""

import threading
import time
from contextlib import suppress
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import requests

from devstack.chaos.fault import Fault
from devstack.chaos.faults.network import DOWN, LINKS, NetworkFault
from devstack.chaos.network.network import SIMULATOR
from devstack.chaos.network.rule import Rule
from devstack.chaos.stage import Stage
from devstack.demo.shop import ServiceRefused

SKU = "chaos-card"
CUSTOMER = "chaos-card-holder"
UNIT_PRICE = 500
CHARGES = ("pm_sim_stored_500_3", "pm_sim_charged_500", "pm_sim_intent_500_2", "pm_sim_error_500_4",
           "pm_sim_rate_limited_3", "pm_sim_timeout_after_charge", "pm_sim_silent", "pm_sim_delay_2500")  # fmt: skip
REFUNDS = ("pm_sim_disputed", "pm_sim_refund_failed", "pm_sim_refund_failed_late", "pm_sim_refund_pending_failed",
           "pm_sim_refund_pending", "pm_sim_refund_500")  # fmt: skip
FAIL = ("pm_sim_disputed", "pm_sim_refund_failed", "pm_sim_refund_failed_late", "pm_sim_refund_pending_failed")
"""Of these the first refund fails."""
LOOK_NOW = "update deadlines set due_at = now() where aggregate_id = any(%s) and due_at > now() + interval '5 seconds'"
"""The payment service asks after a refund for days; these it asks after now."""
ENDED = ("refunded", "voided", "declined")
EVERY_SECONDS = 1.0
WATCH_SECONDS = 300
AWAY = (psycopg.Error, ServiceRefused, requests.RequestException, OSError)


class BadCards(Fault):
    """Customers pay with cards of which each makes the processor fail in its own way."""

    shortest, longest = 1, 5
    alone = True
    """Its orders must be accepted."""
    cards: ClassVar[tuple[str, ...]]

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.chosen = chance.sample(self.cards, len(self.cards))
        self.orders: dict[UUID, str] = {}
        """Order -> card."""

    def inject(self) -> str:
        shop = self.stage.scene.make_shop()
        shop.stock(SKU, SKU, UNIT_PRICE, len(self.chosen))
        for card in self.chosen:
            self.orders[shop.order(CUSTOMER, [(SKU, 1)], card)] = card
        return f"{len(self.orders)} orders are placed with {', '.join(self.chosen)}."

    def state_of(self, order: UUID) -> str:
        return str(self.stage.scene.make_shop().order_of(CUSTOMER, order)["state"])

    def payment_of(self, order: UUID) -> dict[str, Any]:
        """Empty where no payment is known yet, or nobody answers."""
        with suppress(*AWAY):
            return self.stage.scene.make_shop().payment_of(order)
        return {}


class FailingCharges(BadCards):
    name = "failing-charges"
    does = "Cards whose charges meet stored 500s, 429s, silence and late answers."
    cards = CHARGES


class FailingRefunds(BadCards):
    """An operator has each failed refund made again, when the fault has healed."""

    name = "failing-refunds"
    does = "Captured orders are cancelled, and their refunds are disputed, fail, fail late, or meet a stored 500."
    cards = REFUNDS

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.failed: dict[UUID, str] = {}
        """Order -> why its refund has failed, as the payment service names it."""
        self._healed = threading.Event()
        self._operator = threading.Thread(target=self._watch, name=self.name, daemon=True)

    def inject(self) -> str:
        placed = super().inject()
        self._operator.start()
        return placed

    def heal(self) -> str:
        if self._operator.ident is None or self._healed.is_set():
            return ""
        self._healed.set()
        return "An operator has failed refunds made again."

    def is_over(self) -> bool:
        """Whether every customer has the money back, and each refund that fails was seen to fail."""
        states = {order: self.payment_of(order).get("state") for order in self.orders}
        unseen = [order for order, card in self.orders.items() if card in FAIL and order not in self.failed]
        return all(state in ENDED for state in states.values()) and "refunded" not in map(states.get, unseen)

    def _watch(self) -> None:
        cancelled: set[UUID] = set()
        end = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < end and not (self._healed.is_set() and self.is_over()):
            for order in self.orders:
                with suppress(*AWAY):
                    self._advance(order, cancelled)
            if self._healed.is_set():
                with suppress(*AWAY):
                    self._look_now()
            time.sleep(EVERY_SECONDS)

    def _look_now(self) -> None:
        """Without this a refund that fails late would be noticed tomorrow."""
        url = self.stage.stack.environments.owner_urls()["payment_service"]
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as session:
            session.execute(LOOK_NOW, (list(self.orders),))

    def _advance(self, order: UUID, cancelled: set[UUID]) -> None:
        shop, payment = self.stage.scene.make_shop(), self.payment_of(order)
        if order not in cancelled and payment.get("state") == "captured":
            shop.cancel(CUSTOMER, order)
            cancelled.add(order)
        if payment.get("state") == "refund_failed":
            self.failed.setdefault(order, str(payment.get("reason", "")))
            if self._healed.is_set():
                shop.refund_again(order, "The fault `failing-refunds` is over.")


class ProcessorFault(NetworkFault):
    """What the card processor does to every card."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.links = [link for link in LINKS if link.server == SIMULATOR]
        self.where = "between the payment service and the card processor"


class SilentProcessor(ProcessorFault):
    name, kind = "silent-processor", "hold"
    does = "The card processor gets every call, and nobody hears its answer."
    shortest, longest = 4, 12
    directions = (DOWN,)


class LateProcessor(ProcessorFault):
    name, kind = "late-processor", "slow"
    does = "The card processor answers later than the payment service waits (STRIPE_TIMEOUT_SECONDS)."
    shortest, longest = 4, 12
    directions = (DOWN,)

    def make_rule(self) -> Rule:
        return Rule("slow", up=False, latency=round(self.chance.uniform(2.2, 4), 2))
