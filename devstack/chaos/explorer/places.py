"""Places: the processes that pass each failpoint, and what makes one pass it."""

from collections.abc import Mapping
from dataclasses import dataclass

from devstack.chaos.faults.target import WORKERS

APIS = ("orders-api", "payments-api", "inventory-api")
SERVICE_WORKERS = ("orders-worker", "payments-worker", "inventory-worker")
RELAYS = ("orders-relay", "payments-relay", "inventory-relay")
REBUILD = "rebuild"
"""No process of the stack: the command `projections rebuild`, which an entry starts."""
REFUSING = ("refuse longer", "operate")
"""Provocations that end before the parked order may be accepted; with all others it may as soon as it is parked."""


@dataclass(frozen=True)
class Place:
    """Where a failpoint is passed."""

    processes: tuple[str, ...]
    """An entry arms one of them."""
    provocation: str = ""
    """One of `provocations.PROVOCATIONS`, beside the orders; empty: the orders do."""


def places(processes: tuple[str, ...], provocation: str, *points: str) -> dict[str, Place]:
    return dict.fromkeys(points, Place(processes, provocation))


PLACES: Mapping[str, Place] = {
    **places(APIS, "", "command.before-commit", "command.flushed", "command.after-commit"),
    **places(("inventory-api",), "operate", "operator.before-commit", "operator.after-commit"),
    **places(WORKERS, "", "receive.before-look", "receive.before-commit", "receive.after-commit", "receive.before-ack"),
    **places(WORKERS, "", "ack.before-send", "ack.after-send"),
    **places(SERVICE_WORKERS, "", "react.before-flush"),
    **places(("projections-worker",), "", "project.logged"),
    **places(("payments-worker",), "", "outside.before-call", "outside.after-call"),
    **places(("orders-worker",), "", "deadline.taken", "deadline.before-commit", "deadline.after-commit"),
    **places(("inventory-worker",), "", "park.before-commit", "park.after-commit"),
    **places(("inventory-worker",), "", "retry.claimed", "retry.before-commit", "retry.after-commit"),
    **places(("inventory-worker",), "refuse longer", "retry.failed"),
    **places(RELAYS, "restart", "relay.leads"),
    **places(RELAYS, "", "relay.window-opened", "relay.before-publish", "relay.published", "relay.confirmed"),
    **places(RELAYS, "", "relay.before-cursor", "relay.cursor-moved"),
    **places(("orders-relay",), "full queue", "relay.before-record", "relay.recorded", "relay.retry-confirmed"),
    **places(RELAYS, "old rows", "relay.before-purge", "relay.purged"),
    **places(("orders-relay",), "silent queue", "relay.before-detach", "relay.detached"),
    **places(("orders-relay",), "silent queue", "catch-up.begun", "catch-up.confirmed", "catch-up.moved"),
    **places(("orders-relay",), "silent queue", "relay.before-attach", "relay.attached"),
    **places((REBUILD,), "rebuild", "rebuild.frozen", "rebuild.derived", "rebuild.loaded", "rebuild.compared"),
    **places((REBUILD,), "rebuild", "rebuild.caught-up", "rebuild.locked", "rebuild.before-commit"),
    **places((REBUILD,), "rebuild", "rebuild.swapped", "rebuild.recorded"),
    **places(SERVICE_WORKERS, "old rows", "housekeeping.before-purge", "housekeeping.purged"),
    **places(("audit-sealer",), "", "seal.before-append", "seal.appended", "seal.signed"),
    **places(("webhooks",), "", "webhook.before-commit", "webhook.collected", "webhook.before-send", "webhook.sent"),
    **places(("webhooks",), "", "webhook.before-record", "webhook.recorded"),
}
