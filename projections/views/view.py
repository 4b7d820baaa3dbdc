"""A view: a table of the read side, and the statement that adds a range of the event log to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.contract import Contract
from projections.views.columns import ViewColumn, is_one_of

Contracts = tuple[type[Contract], ...]

RANGE = "position between %(first)s and %(last)s"
"""The range of the log that a fold adds."""


@dataclass(frozen=True)
class FoldedView:
    """Each message is folded once; the order in which ranges are folded makes no difference."""

    table: str
    fold: str
    facts: Mapping[str, Contracts] = field(default_factory=dict)
    """The contracts of each column; empty for a view that counts every contract alike."""


def view_of_orders(table: str, columns: Mapping[str, ViewColumn], counted: Iterable[type[Contract]] = ()) -> FoldedView:
    """A view with one row for each order: `order_id` and these columns, in this order.

    LAST_TIME and NUMBER_OF_MESSAGES include the messages of the contracts of all columns, and of those `counted`.
    """
    return view_of({"order_id": "key::uuid"}, table, columns, counted)


def view_of(
    keys: Mapping[str, str],
    table: str,
    columns: Mapping[str, ViewColumn],
    counted: Iterable[type[Contract]] = (),
    where: str = "true",
) -> FoldedView:
    """A view with one row for each value of these key columns, given with the expression of each; `where` is a
    condition on the messages."""
    facts = {name: column.contracts for name, column in columns.items() if column.contracts}
    contracts = dict.fromkeys([*counted, *(contract for read in facts.values() for contract in read)])
    separator = ",\n    "
    fold = f"""
insert into {table} ({", ".join([*keys, *columns])})
select {separator.join([*keys.values(), *(column.batch for column in columns.values())])}
from upcast_log
where {RANGE} and {is_one_of(contracts)} and {where}
group by {", ".join(keys.values())}
order by {", ".join(keys.values())}
on conflict ({", ".join(keys)}) do update set
    {separator.join(f"{name} = {column.merge.format(table=table, column=name)}" for name, column in columns.items())}
"""  # noqa: S608 - names of ours
    return FoldedView(table, fold, facts)
