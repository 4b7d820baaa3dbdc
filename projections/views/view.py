"""A view: a table of the read side, and the statement that adds a stretch of the event log to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.contract import Contract
from projections.views.columns import ViewColumn, is_one_of

Contracts = tuple[type[Contract], ...]

STRETCH = "position between %(first)s and %(last)s"
"""The messages that a fold adds."""


@dataclass(frozen=True)
class View:
    """A fold adds messages that were never folded before; the order of its calls makes no difference."""

    table: str
    fold: str
    facts: Mapping[str, Contracts] = field(default_factory=dict)
    """By column, the contracts that it is read from; empty when the view counts every contract alike."""


def view_of_orders(table: str, columns: Mapping[str, ViewColumn], counted: Iterable[type[Contract]] = ()) -> View:
    """A view with one row for each order: `order_id` and these columns, in this order.

    LAST_TIME and NUMBER_OF_MESSAGES include the messages of the contracts of all columns, and of those `counted`.
    """
    facts = {name: column.contracts for name, column in columns.items() if column.contracts}
    contracts = dict.fromkeys([*counted, *(contract for told in facts.values() for contract in told)])
    separator = ",\n    "
    fold = f"""
insert into {table} (order_id, {", ".join(columns)})
select key::uuid,
    {separator.join(column.batch for column in columns.values())}
from event_log
where {STRETCH} and {is_one_of(contracts)}
group by key
order by key
on conflict (order_id) do update set
    {separator.join(f"{name} = {column.merge.format(table=table, column=name)}" for name, column in columns.items())}
"""  # noqa: S608 - names of ours
    return View(table, fold, facts)
