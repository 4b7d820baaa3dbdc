"""Which domain events the world hears of, and as which contract."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate

from ordersaga.envelope.message import Cause, ContractData, Message, message_id

Event = TypeVar("Event", bound=CanMutateAggregate[UUID])


class Announcements:
    """A service's table of event -> contract; the same event always gives the same messages."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._makers: dict[type, list[Callable[[Any], ContractData]]] = {}

    def of(self, event: type[Event]) -> Callable[[Callable[[Event], ContractData]], Callable[[Event], ContractData]]:
        """Register the decorated function as the maker of one announcement of this event."""

        def register(maker: Callable[[Event], ContractData]) -> Callable[[Event], ContractData]:
            self._makers.setdefault(event, []).append(maker)
            return maker

        return register

    def messages(self, event: Any, event_hash: bytes, cause: Cause) -> Iterator[Message]:
        """The messages that announce one recorded event; none if it is private."""
        for make in self._makers.get(type(event), ()):
            data = make(event)
            time: datetime = event.timestamp
            yield Message(
                id=message_id(self.service, event.originator_id, event.originator_version, data.NAME),
                contract=data.NAME,
                source=self.service,
                key=str(getattr(data, data.KEY)),
                sequence=event.originator_version,
                time=time,
                event_hash=event_hash,
                cause=cause,
                body=data.model_dump_json(),
            )
