"""Reactions: the functions that a service runs when it receives messages, by contract."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from ordersaga.envelope.message import ContractData

Function = TypeVar("Function", bound=Callable[..., None])


def no_loads(_: Any) -> Iterable[UUID]:
    return ()


def no_locks(_: Any, __: Any) -> Iterable[UUID]:
    return ()


@dataclass(frozen=True, slots=True)
class Reaction:
    """A function, and what is loaded, locked and called before it runs."""

    contract: type[ContractData]
    function: Callable[..., None]
    loads: Callable[[Any], Iterable[UUID]]
    """Data -> ids of the aggregates that it uses, so that a batch loads them in one query."""
    locks: Callable[[Any, Any], Iterable[UUID]]
    """(data, transaction) -> ids of aggregates that many messages share. Called for the whole batch once its `loads`
    are loaded; the batch locks these aggregates in sorted order, and only then loads them."""
    outside: Callable[..., Any] | None
    """Step (data, transaction, resources) -> answer, called before the transaction; the function gets the answer as its
    third argument."""


class Reactions:
    """The registry of one consumer group."""

    def __init__(self) -> None:
        self.deadlines: dict[str, Callable[..., None]] = {}
        self.by_contract: dict[str, Reaction] = {}

    def to(
        self,
        contract: type[ContractData],
        *,
        loads: Callable[[Any], Iterable[UUID]] = no_loads,
        locks: Callable[[Any, Any], Iterable[UUID]] = no_locks,
        outside: Callable[..., Any] | None = None,
    ) -> Callable[[Function], Function]:
        """Register the decorated function(data, transaction[, answer]) as this group's reaction."""

        def register(function: Function) -> Function:
            if contract.NAME in self.by_contract:
                raise ValueError(f"there are two reactions to {contract.NAME}; make them one sentence")
            self.by_contract[contract.NAME] = Reaction(contract, function, loads, locks, outside)
            return function

        return register

    def to_deadline(self, name: str) -> Callable[[Function], Function]:
        """Register the decorated function(aggregate_id, transaction) for deadlines of this name."""

        def register(function: Function) -> Function:
            self.deadlines[name] = function
            return function

        return register

    @property
    def contracts(self) -> list[str]:
        """Names of the contracts that this group's queues are bound to."""
        return sorted(self.by_contract)
