"""The columns of a view with a row for each key: contracts and field of each, and the SQL that folds messages."""

import types
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Union, get_args, get_origin

from contracts.contract import Contract
from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import versions_of

SQL_TYPES: dict[Any, str] = {int: "bigint", str: "text", datetime: "timestamptz", tuple: "jsonb"}
"""The column type for each type of a contract's field."""
WHOLE = "body ->> 'part' is null"
PART = "body ->> 'part' is not null"
"""Conditions on a message about a refund: of the rest of the charge, or of a part."""
ALL_BACK = "(body ->> 'left')::bigint = 0"
"""The customer has everything back."""
NEWEST = "greatest({table}.{column}, excluded.{column})"
FIRST = "least({table}.{column}, excluded.{column})"
SUM = "{table}.{column} + excluded.{column}"


@dataclass(frozen=True)
class ViewColumn:
    """`batch` aggregates the messages of one batch, `merge` adds the result to the existing row."""

    sql_type: str
    contracts: tuple[type[Contract], ...]
    """The contracts whose messages give the value; empty when every message of the view does."""
    batch: str
    merge: str = NEWEST


def field_of(name: str, *contracts: type[Contract], where: str = "") -> ViewColumn:
    """The field `name` of these contracts, of which each key has one message; `where` is a condition beside.

    Raises:
        KeyError: a contract has no such field, or it has a type that no column holds.
    """
    [sql_type] = {sql_type_of(contract, name) for contract in contracts}
    only = only_of(contracts, where)
    if sql_type == "jsonb":  # Postgres has no max of it
        return ViewColumn(sql_type, contracts, f"(array_agg(body -> '{name}') {only})[1]")
    value = f"body ->> '{name}'" if sql_type == "text" else f"(body ->> '{name}')::{sql_type}"
    return ViewColumn(sql_type, contracts, f"max({value}) {only}")


def newest_field_of(name: str, time: str, *contracts: type[Contract], where: str = "") -> ViewColumn:
    """The field `name`, a text, of the newest of these messages, of which a key may have several.

    `time` is the column of the view that holds the time of that message.
    """
    of_newest = f"order by time desc, body ->> '{name}' desc"
    batch = f"(array_agg(body ->> '{name}' {of_newest}) {only_of(contracts, where)})[1]"
    is_newer = f"(excluded.{time}, excluded.{{column}}) >= ({{table}}.{time}, {{table}}.{{column}})"
    merge = (
        f"case when {{table}}.{time} is null or {is_newer} then coalesce(excluded.{{column}}, {{table}}.{{column}}) "
        "else {table}.{column} end"
    )
    return ViewColumn("text", contracts, batch, merge)


def sql_type_of(contract: type[Contract], name: str) -> str:
    """The type of a field, optional or not."""
    annotation = contract.model_fields[name].annotation
    if get_origin(annotation) in (Union, types.UnionType):
        [annotation] = (each for each in get_args(annotation) if each is not type(None))
    return SQL_TYPES[get_origin(annotation) or annotation]


def time_of(*contracts: type[Contract], where: str = "") -> ViewColumn:
    """The time of the message of one of these contracts, the last of several; `where` is a condition beside."""
    return ViewColumn("timestamptz", contracts, f"max(time) {only_of(contracts, where)}")


def first_time_of(*contracts: type[Contract], where: str = "") -> ViewColumn:
    """The time of the first of these messages."""
    return ViewColumn("timestamptz", contracts, f"min(time) {only_of(contracts, where)}", FIRST)


def correlation_of(*contracts: type[Contract]) -> ViewColumn:
    """The correlation id of the message of one of these contracts."""
    return ViewColumn("uuid", contracts, f"(array_agg(correlation_id) filter (where {is_one_of(contracts)}))[1]")


LAST_TIME = ViewColumn("timestamptz", (), "max(time)")
"""The time of the last message of the view."""
NUMBER_OF_MESSAGES = ViewColumn("bigint", (), "count(*)", SUM)
"""The number of messages of the view."""


def names_of(contracts: Iterable[type[ContractData]]) -> str:
    """The names as SQL literals, separated by commas."""
    return ", ".join(f"'{contract.NAME}'" for contract in contracts)


def received_names_of(contracts: Iterable[type[Contract]]) -> str:
    """The names of these contracts and of their older versions, for what counts messages as they were received."""
    return names_of(version for contract in contracts for version in versions_of(contract))


def only_of(contracts: Iterable[type[Contract]], where: str = "") -> str:
    """The filter of an aggregate function."""
    return f"filter (where {is_one_of(contracts)}{f' and {where}' if where else ''})"


def is_one_of(contracts: Iterable[type[Contract]]) -> str:
    """A condition on the column `contract` of the upcast log."""
    return f"contract in ({names_of(contracts)})"
