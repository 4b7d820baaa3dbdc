"""Reactions: the functions that a service runs when it receives messages, by contract."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from ordersaga.envelope.declaration import require_contract
from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import every_version_of, versions_of

Function = TypeVar("Function", bound=Callable[..., None])

CALL = "call"
"""The operation of a step that names none."""
AT_ONCE = 16
"""The most calls of one operation at once in one process, unless a reaction or the settings say otherwise."""


def no_loads(_: Any) -> Iterable[UUID]:
    return ()


def no_locks(_: Any, __: Any) -> Iterable[UUID]:
    return ()


def always_needed(_: Any, __: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Reaction:
    """A function, with the loads, locks and outside step that precede it."""

    contract: type[ContractData]
    function: Callable[..., None]
    loads: Callable[[Any], Iterable[UUID]]
    """Data -> ids of the aggregates that it uses, so that a batch loads them in one query."""
    locks: Callable[[Any, Any], Iterable[UUID]]
    """(data, transaction) -> ids of aggregates that many messages share. Called for the whole batch once its `loads`
    are loaded, and before with what is in memory, to load them together."""
    outside: Callable[..., Any] | None
    """Step (data, transaction, resources) -> answer, called before the transaction; the function gets the answer as its
    third argument."""
    needs_outside: Callable[[Any, Any], bool]
    """(data, transaction) -> whether the step is needed; without it the answer is None."""
    resource: str
    """The system that the step calls."""
    operation: str | Callable[[Any, Any], str] = CALL
    """What the step asks of it, or (data, transaction) -> that."""
    at_once: Mapping[str, int] = field(default_factory=dict)
    """Operation -> the most calls of it at once in one process, for all that the step may ask."""

    def operation_of(self, data: Any, transaction: Any) -> str:
        """What the step asks for this message."""
        return self.operation if isinstance(self.operation, str) else self.operation(data, transaction)


class Reactions:
    """The functions that a service runs when it receives a message, by contract.

        reactions = Reactions()

        @reactions.to(BookReturned, loads=lambda message: [message.book_id])
        def when_book_returned_lend_it_to_the_next(message: BookReturned, transaction: Transaction) -> None:
            book = transaction.get(Book, message.book_id)
            book.lend()
            transaction.save(book)

    The function runs in the transaction that records the message as received: its aggregates, messages and SQL on
    `transaction.connection` are committed with that record, or not at all. It may run again after a rollback, so it
    changes nothing outside the database; calls to other systems belong in an outside step. It changes aggregates by
    events alone: the worker keeps them in memory for the next message.

    An exception parks the message and the later messages of its key; the worker retries with growing pauses. It
    retries at once after a deadlock or `Conflict`, and waits while a server is unavailable. Data that Postgres can
    never take (SQLSTATE class 22) makes the message dead at once. See `ErrorKind` for every kind of error.
    """

    def __init__(self) -> None:
        self.deadlines: dict[str, Callable[..., None]] = {}
        self.by_contract: dict[str, Reaction] = {}
        """By name; a reaction is there under the older versions of its contract too."""

    def to(
        self,
        contract: type[ContractData],
        *,
        loads: Callable[[Any], Iterable[UUID]] = no_loads,
        locks: Callable[[Any, Any], Iterable[UUID]] = no_locks,
        outside: Callable[..., Any] | None = None,
        needs_outside: Callable[[Any, Any], bool] = always_needed,
        resource: str = "",
        operation: str | Callable[[Any, Any], str] = CALL,
        at_once: int | Mapping[str, int] = AT_ONCE,
    ) -> Callable[[Function], Function]:
        """Register the decorated function(data, transaction[, answer]) as the reaction to a contract.

        Args:
            contract: its class. Messages of the versions before it (`Contract.PREDECESSOR`) are upcast to it.
            loads: data -> ids of the aggregates that the function asks for, so that a batch loads them in one query.
            locks: (data, transaction) -> ids of aggregates that messages of different keys change. Two reactions that
                name the same id take effect as if one ran after the other, whatever else they load. They are locked
                only where versions do not see to that: before SQL on `transaction.connection`, at the end where any
                aggregate was read and not changed, and before all else in large batches or soon after a conflict. It
                only reads, and may run twice.
            outside: a step (data, transaction, resources) -> answer that runs before the transaction, for calls over
                the network. It may run more than once for a message, and only reads from the database.
            needs_outside: (data, transaction) -> whether the step is needed; if not, the answer is None. It only reads
                from the database, so what needs no answer goes on while the resource does not answer.
            resource: what the step calls, such as "mail server", as it is named to people; the steps of one
                resource share a rate limit. Default: the name of the step.
            operation: what the step asks of the resource, such as "send" or "look up": each operation has a circuit
                breaker and threads of its own, so that one that hangs keeps none from another. Where it depends on the
                message, (data, transaction) -> operation, which only reads. Default: one for the whole resource.
            at_once: the most calls of the operation at once in one process; for an operation that depends on the
                message, each operation -> its number. `Service(limits=)` takes precedence.

        Raises:
            ValueError: there is a reaction to this contract already, it lacks its name, source or key, or `at_once`
                does not name what a function as `operation` may return.
        """
        require_contract(contract)
        if isinstance(at_once, int):
            if not isinstance(operation, str):
                raise ValueError(f"the step of {contract.NAME} chooses its operation: name each in at_once={{...}}")
            at_once = {operation: at_once}

        def register(function: Function) -> Function:
            names = [version.NAME for version in versions_of(contract)]
            if taken := [name for name in names if name in self.by_contract]:
                raise ValueError(f"there are two reactions to {taken[0]}; make them one function")
            named = resource or getattr(outside, "__name__", "resource")
            reaction = Reaction(contract, function, loads, locks, outside, needs_outside, named, operation, at_once)
            self.by_contract |= dict.fromkeys(names, reaction)
            return function

        return register

    def to_deadline(self, name: str) -> Callable[[Function], Function]:
        """Register the decorated function(aggregate_id, transaction) for deadlines of this name; see `Deadline`."""

        def register(function: Function) -> Function:
            self.deadlines[name] = function
            return function

        return register

    @property
    def contracts(self) -> list[str]:
        """The contracts that this group's queues are bound to, each in every version, as `<context>.<event>.*`.

        A version that is newer than the reaction is parked until a worker runs that knows it; nothing is missed.
        """
        return sorted({every_version_of(name) for name in self.by_contract})
