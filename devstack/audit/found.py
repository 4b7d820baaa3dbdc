"""What there is of a customer to erase, what has been erased, and what erasing leaves, in words and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ordersaga.privacy.erasure import Erasure, Erasures

CONTACTS = "Their contact becomes unreadable for good, in event stores, outboxes, messages on the broker,"
CONTACTS += " parked messages, views and every copy of them."
NOT_TOUCHED = (
    "the customer's subject (a pseudonym), what was ordered when and for how much: the books need it",
    "free text that somebody typed elsewhere, such as the reason of a cancellation",
    "what the card processor keeps of the charges: have it redacted there",
    "the keys in backups and archived WAL: a restored backup is erased again by `./ordersaga audit erase --again`"
    " and by every start, from the list of erasures; let backups expire",
)
NOT_TOUCHED_LINES = ["Not touched:", *(f"  - {what}" for what in NOT_TOUCHED)]


@dataclass
class Found:
    """What there is to erase, or has been erased."""

    customer: str
    orders: int | None
    """On the read side, which may be a little behind; None when it does not answer."""
    keys: dict[str, int] = field(default_factory=dict)
    """Database -> keys, of those that have any."""
    before: dict[str, Erasure] = field(default_factory=dict)
    """Database -> the last erasure there."""

    def text(self) -> str:
        keys = ", ".join(f"{number} in {database}" for database, number in self.keys.items())
        orders = "an unknown number of orders" if self.orders is None else f"{self.orders} orders"
        return f"{self.customer}: keys: {keys or 'none'}; {orders} on the read side."


def report(found: Found, erased: Mapping[str, Erasure], erasures: Erasures, as_json: bool, told: bool) -> None:
    """`told`: what is not touched has been said already."""
    if as_json:
        said = {
            "customer": found.customer,
            "orders": found.orders,
            "erased": {name: done.keys for name, done in erased.items()},
            "erased_before": {name: before._asdict() for name, before in found.before.items()},
            "list": erasures.path,
            "not_touched": NOT_TOUCHED,
        }
        print(json.dumps(said, default=str))
        return
    for name, done in erased.items():
        print(f"{name}: erased {len(done.keys)} of the keys of {found.customer}.")
    for name, before in found.before.items():
        print(
            f"{name}: {before.actor} had erased earlier data at {before.erased_at:%Y-%m-%d %H:%M:%S%z}: {before.reason}"
        )
    if not erased:
        print(f"{found.customer} has no key that is not erased, so there is nothing to do.")
    elif not told:
        print("\n".join(NOT_TOUCHED_LINES))


def report_again(repeated: Mapping[str, list[Erasure]], as_json: bool) -> None:
    if as_json:
        erased = {name: [done._asdict() for done in erasures] for name, erasures in repeated.items() if erasures}
        print(json.dumps({"erased_again": erased}, default=str))
        return
    for name, erasures in repeated.items():
        for done in erasures:
            print(f"{name}: erased again {len(done.keys)} of the keys of {done.subject}.")
    if not any(repeated.values()):
        print("No key that the list names has come back.")
