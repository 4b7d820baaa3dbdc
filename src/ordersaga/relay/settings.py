"""The variables that only a relay reads."""

from pydantic import Field

from ordersaga.runtime.settings import Settings


class RelaySettings(Settings):
    """The settings of a relay."""

    relay_retention_hours: float = Field(default=24, gt=0)
    """A relay deletes published rows of the outbox after this time."""
    relay_max_message_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """A relay sends no larger body; RabbitMQ 4 accepts 16 MiB by default, 3.10 accepts 128."""
