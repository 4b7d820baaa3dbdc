"""What is known of one message at one place; all streams that are merged are made of these."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Row(NamedTuple):
    """`table` is where it stands; rows of the table `effects` are events that name the message as their cause."""

    id: UUID
    table: str
    database: str
    moment: datetime
    contract: str | None = None
    key: str | None = None
    event_hash: bytes | None = None
    note: str = ""
    transactions: int = 1
    """Of an effect: in how many the events were recorded."""

    @property
    def place(self) -> str:
        return f"{self.database}.{self.table}"
