"""The scenarios: name, file, and what happens in one line."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devstack.breaking.scenario import FailureScenario

PLACE = "devstack.breaking.scenarios"
WHAT = {
    "payment-fail": "Cards are declined: stock that was reserved is released, and nothing is charged",
    "payment-kill": "The payments worker is killed between charge and commit, and elsewhere: one charge an order",
    "payment-delay": "A card answers after the order has been given up: the late charge is refunded",
    "silent-card": "The card processor does not answer: the circuit breaker opens",
    "broker-crash": "RabbitMQ is killed, and stays away: orders are accepted and wait in the outbox",
    "database-crash": "Postgres is killed, and stays away: requests are put off, and nothing is lost",
    "stop-worker": "A worker runs and handles nothing: its messages wait in order",
    "poison": "A reaction refuses a message, which is parked: only its own order waits",
    "oversell": "200 buyers order the last 10 pieces at once: 10 are sold",
    "duplicate-storm": "Every message is delivered many times: each takes effect once",
    "impostor": "A taken-over service speaks for others, forges, reads and writes elsewhere: refused or named",
}


OWN_STACK_ONLY = ("impostor",)
"""What is left of them in the stores, `reconcile` would name for ever."""


def commands(attribute: str) -> dict[str, tuple[str, str]]:
    """Name -> (`module:attribute`, what happens), for a group of commands."""
    names = [name for name in WHAT if attribute == "on_own_stack" or name not in OWN_STACK_ONLY]
    return {name: (f"{PLACE}.{name.replace('-', '_')}:{attribute}", WHAT[name]) for name in names}


def scenario(name: str) -> "type[FailureScenario]":
    """Its class. Importing it takes a while, so the table alone does not."""
    from devstack.breaking.scenario import FailureScenario

    module = import_module(f"{PLACE}.{name.replace('-', '_')}")
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, FailureScenario)]
    return next(kind for kind in kinds if getattr(kind, "name", "") == name)
