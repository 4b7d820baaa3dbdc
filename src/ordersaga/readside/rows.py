"""Typed rows of statements, and `where` clauses from conditions."""

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString, TypeVar

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Composed, Identifier
from pydantic import BaseModel, ConfigDict

Statement = SQL | Composed


class Row(BaseModel):
    """One row of a result."""

    model_config = ConfigDict(frozen=True)


def columns(kind: type[Row], **made: LiteralString) -> Composed:
    """The select list of a row: for each field the column of its name, or the expression given in `made`."""
    return SQL(", ").join(
        SQL("{} as {}").format(SQL(made[name]), Identifier(name)) if name in made else Identifier(name)
        for name in kind.model_fields
    )


Kind = TypeVar("Kind", bound=Row)


def select(
    connection: Connection[Any], kind: type[Kind], statement: Statement, values: Mapping[str, Any] | None = None
) -> list[Kind]:
    """All rows of a statement, each as a `kind`."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement, values).fetchall()


def where(conditions: Iterable[Statement]) -> Statement:
    """A `where` clause of these conditions, or nothing; the plan then fits the conditions that are there."""
    present = list(conditions)
    return SQL("where {}").format(SQL(" and ").join(present)) if present else SQL("")


def applicable(known: Mapping[str, Statement], values: Mapping[str, Any]) -> list[Statement]:
    """The conditions whose value is not None."""
    return [condition for name, condition in known.items() if values.get(name) is not None]
