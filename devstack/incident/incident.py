"""Incident: what happened to one order, in a form that can be replayed and has no personal data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Action = Literal["place", "cancel", "refund again", "refund part"]


class Line(NamedTuple):
    """A line of the order; `unit_price` in minor units."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True)
class Command:
    """Somebody asked for something; `at` is in seconds after the order was placed, here and below."""

    at: float
    action: Action
    amount: int = 0
    """Of a part, in minor units."""


@dataclass(frozen=True)
class Received:
    """A group got a message of the order, the first of its contract or a later one."""

    at: float
    group: str
    contract: str
    number: int = 1
    outcome: str = "effect"
    """`effect`, `skipped` (by a person), `waits` (behind a parked one), or `parked: ` and the class of the error."""
    processor: Literal["answers", "silent"] = "answers"
    """Silent: the card processor gave no answer before the next message of the order came."""


@dataclass(frozen=True)
class Passed:
    """A deadline of the order passed."""

    at: float
    group: str
    name: str


@dataclass(frozen=True)
class Foreign:
    """A group got a message of the order that no service has announced, and parked it."""

    at: float
    group: str
    contract: str
    error: str
    body: str
    outcome: str = "parked"
    """`parked`, or `skipped` by a person."""


Step = Command | Received | Passed | Foreign


@dataclass(frozen=True)
class End:
    """How everything stood."""

    order: str
    payment: str
    """Its state; empty when there is none."""
    reservation: str
    events: dict[str, list[str]]
    """Aggregate -> its events of this order; the first is version 1."""
    parked: list[str] = field(default_factory=list)
    """Group, contract, and the class of the error, or `waits`."""


@dataclass(frozen=True)
class Incident:
    """`stock` is what was available of each SKU when the stock of the order was decided on."""

    lines: Sequence[Line]
    currency: str
    stock: dict[str, int]
    card: str
    contact: bool
    """Whether a contact was given; its content is not in the incident."""
    steps: Sequence[Step]
    end: End
    wrong: Sequence[str] = ()
    """What is wrong with this end, each in a sentence."""
    notes: Sequence[str] = ()
    """What a reader should know; the replay does not need it."""
