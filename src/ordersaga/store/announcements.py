"""Announcements: which domain events are published, and as which contract."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, get_type_hints
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate

from ordersaga.envelope.declaration import require_source
from ordersaga.envelope.limits import require_within_limits
from ordersaga.envelope.message import Cause, ContractData, Message, message_id
from ordersaga.envelope.versions import every_version, first_version_of

Event = TypeVar("Event", bound=CanMutateAggregate[UUID])


class Announcements:
    """The events of a service that are published, each with its contract.

        announcements = Announcements("library")

        @announcements.of(Book.Returned)
        def book_returned(event: Book.Returned) -> BookReturned:
            return BookReturned(book_id=event.originator_id, days=event.days)

    `Transaction.save` puts the messages into the outbox with the event. The function uses the event and nothing else,
    so that the same messages can be derived again from the event store.
    """

    def __init__(self, source: str) -> None:
        """`source` is the `ce-source` of every message, and a part of its id."""
        self.source = source
        self._makers: dict[type, list[Callable[[Any], ContractData]]] = {}
        self._firsts: dict[type, set[type[ContractData]]] = {}
        self._contracts: dict[str, type[ContractData]] = {}
        self._by_event: dict[type, set[str]] = {}
        self.without_events: dict[str, type[ContractData]] = {}
        """By name, the contracts that the service announces without an event."""

    def of(self, event: type[Event]) -> Callable[[Callable[[Event], ContractData]], Callable[[Event], ContractData]]:
        """Register the decorated function as the maker of one announcement of this event.

        Raises:
            TypeError: the function does not say which contract it returns.
            ValueError: the contract is another service's, or named as one announced without an event; or the event is
                announced as another version of it: both would have one id, and be one message.
        """

        def register(maker: Callable[[Event], ContractData]) -> Callable[[Event], ContractData]:
            contract: Any = get_type_hints(maker).get("return")
            if not hasattr(contract, "NAME"):
                raise TypeError(f"{maker.__qualname__} must be annotated with the contract that it returns")
            require_source(contract, self.source)
            if contract.NAME in every_version(self.without_events.values()):
                raise ValueError(f"{contract.NAME} is named as announced without an event; make it another contract")
            first = first_version_of(contract)
            if first in self._firsts.setdefault(event, set()):
                raise ValueError(
                    f"{event.__qualname__} is announced as a version of {first.NAME} already; announce the newest "
                    "alone: whoever reacts to it understands the older ones too"
                )
            self._firsts[event].add(first)
            self._makers.setdefault(event, []).append(maker)
            self._contracts[contract.NAME] = contract
            self._by_event.setdefault(event, set()).add(contract.NAME)
            return maker

        return register

    def without_event(self, *contracts: type[ContractData]) -> None:
        """Name the contracts that the service announces with `announce`: `reconcile` expects no event for them.

        Raises:
            ValueError: one is another service's, or an event announces it.
        """
        for contract in contracts:
            require_source(contract, self.source)
            if not every_version(self._contracts.values()).keys().isdisjoint(every_version([contract])):
                raise ValueError(f"{contract.NAME} is announced by an event; announce another contract by yourself")
            self.without_events[contract.NAME] = contract

    @property
    def newest(self) -> dict[str, type[ContractData]]:
        """By name, the contracts that this version of the service announces."""
        return {**self._contracts, **self.without_events}

    @property
    def contracts(self) -> dict[str, type[ContractData]]:
        """By name, the contracts of all announcements, and the older versions of each, whose messages may still wait in
        the outbox; no other service announces these."""
        return every_version(self.newest.values())

    def announcing(self, event: type) -> frozenset[str]:
        """Names of the contracts that announce events of this class; none if they are private."""
        return frozenset(self._by_event.get(event, ()))

    def messages(self, event: Any, event_hash: bytes, cause: Cause) -> Iterator[Message]:
        """The messages that announce one recorded event; none if it is private.

        Raises:
            ValueError: one violates the limits of an envelope, or its contract is another service's.
        """
        for make in self._makers.get(type(event), ()):
            data = make(event)
            time: datetime = event.timestamp
            if self.source != data.SOURCE:
                require_source(type(data), self.source)
            message = Message(
                id=message_id(self.source, event.originator_id, event.originator_version, first_name(type(data))),
                contract=data.NAME,
                source=self.source,
                key=str(getattr(data, data.KEY)),
                sequence=event.originator_version,
                time=time,
                event_hash=event_hash,
                cause=cause,
                body=data.model_dump_json(),
            )
            require_within_limits(message)
            yield message


@cache
def first_name(contract: type[ContractData]) -> str:
    """The name that the id is computed with."""
    return first_version_of(contract).NAME
