"""Contract -> function: what a service does when it hears something."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from ordersaga.envelope.message import ContractData

Function = TypeVar("Function", bound=Callable[..., None])


def nothing(_: Any) -> Iterable[UUID]:
    return ()


def no_locks(_: Any, __: Any) -> Iterable[UUID]:
    return ()


@dataclass(frozen=True, slots=True)
class Reaction:
    """A function and what must be fetched, locked and asked before it runs."""

    contract: type[ContractData]
    function: Callable[..., None]
    loads: Callable[[Any], Iterable[UUID]]
    """Data -> ids of the aggregates it will ask for, so that a batch loads them in one query."""
    locks: Callable[[Any, Any], Iterable[UUID]]
    """(data, transaction) -> ids of aggregates that many messages meet on. Asked once what `loads` names is loaded,
    for the whole batch; then these are locked in sorted order, and only then loaded."""
    outside: Callable[..., Any] | None
    """Step (data, transaction, resources) -> answer, run before the transaction; its answer is the third argument."""


class Reactions:
    """The registry of one consumer group."""

    def __init__(self) -> None:
        self.deadlines: dict[str, Callable[..., None]] = {}
        self.by_contract: dict[str, Reaction] = {}

    def to(
        self,
        contract: type[ContractData],
        *,
        loads: Callable[[Any], Iterable[UUID]] = nothing,
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
