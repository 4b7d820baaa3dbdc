"""The contracts of an application: each with the service that announces it and those that react to it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import every_version
from ordersaga.readside.read_side import ReadSide
from ordersaga.service import Service


@dataclass
class DescribedContract:
    """One contract among the services of an application."""

    contract: type[ContractData]
    is_announced: bool = False
    """Whether a service of the application announces it today; an older version only waits to be received."""
    reactions: dict[str, Callable[..., None] | None] = field(default_factory=dict)
    """Service -> its reaction; None: the service is a read side, which logs every message."""


def contracts_of(services: Sequence[Service]) -> dict[str, DescribedContract]:
    """By name in order, every contract that a service announces, reacts to or knows, with the older versions."""
    known = sorted(every_version(named(services)).items())
    found = {name: DescribedContract(contract) for name, contract in known}
    for service in services:
        for name in service.announcements.newest:
            found[name].is_announced = True
        for name, reaction in service.reactions.by_contract.items():
            found[name].reactions[service.name] = reaction.function
        if isinstance(service, ReadSide):
            for name in service.known_contracts:
                found[name].reactions[service.name] = None
    return found


def named(services: Iterable[Service]) -> Iterator[type[ContractData]]:
    """The contracts that services name."""
    for service in services:
        yield from service.announcements.newest.values()
        yield from (reaction.contract for reaction in service.reactions.by_contract.values())
        if isinstance(service, ReadSide):
            yield from service.known_contracts.values()
