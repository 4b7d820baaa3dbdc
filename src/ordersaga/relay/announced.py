"""Announced: what a service may announce, by its code; the relay refuses every other row of its outbox."""

from dataclasses import dataclass

from ordersaga.envelope.limits import violation
from ordersaga.envelope.message import Message


@dataclass(frozen=True, slots=True)
class Announced:
    """The source of a service, and the contracts that this version of it announces."""

    source: str
    contracts: frozenset[str]

    def refusal(self, message: Message) -> tuple[str, str] | None:
        """The kind and the reason; None: it may be published.

        A relay of an older version does not know every contract of its service, so that this refusal may pass.
        """
        if message.source != self.source:
            return "foreign_source", f"its source is {message.source!r}; this outbox is that of {self.source}"
        if message.contract not in self.contracts:
            return violated(message) or (
                "unknown_contract",
                f"{self.source} does not announce {message.contract} in the version of this relay",
            )
        return violated(message)


def violated(message: Message) -> tuple[str, str] | None:
    """The limit of an envelope that a message violates, as kind and reason."""
    reason = violation(message)
    return ("invalid", reason) if reason else None
