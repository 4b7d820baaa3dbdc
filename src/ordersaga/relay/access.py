"""Access: what a relay publishes, from which database, and to which broker."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ordersaga.envelope.message import Message
from ordersaga.relay.announced import Announced, violated


@dataclass(frozen=True, slots=True)
class Access:
    """Both servers, and what may be published from the database."""

    database: str
    url: str
    amqp_url: str
    max_bytes: int
    """A larger body is not sent."""
    retention_seconds: float
    announced: Announced | None
    """Without it, any source and contract is published."""
    turns: threading.Semaphore
    """Of the queues that are caught up at once, each with a session."""

    @property
    def refusal_of(self) -> Callable[[Message], tuple[str, str] | None]:
        """Returns the kind and the reason why a message must not be sent, else None."""
        return self.announced.refusal if self.announced else violated
