"""What a relay reads from the environment beside what every process does."""

from pydantic import Field

from ordersaga.runtime.settings import Settings


class RelaySettings(Settings):
    relay_retention_hours: float = Field(default=24, gt=0)
    """A relay deletes published rows that are older from the outbox."""
    relay_max_message_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """A relay offers the broker no larger body; RabbitMQ 4 takes 16 MiB by default, 3.10 takes 128."""
