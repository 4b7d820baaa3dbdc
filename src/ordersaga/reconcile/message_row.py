"""One row of one table about one message; all merged streams consist of these."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class MessageRow(NamedTuple):
    """A row of `table`; rows of the table `effects` are events that name the message as their cause."""

    id: UUID
    table: str
    service: str
    moment: datetime
    contract: str | None = None
    key: str | None = None
    event_hash: bytes | None = None
    note: str = ""
    transactions: int = 1
    """The number of transactions that recorded the events of an effect."""

    @property
    def place(self) -> str:
        return f"{self.service}.{self.table}"
