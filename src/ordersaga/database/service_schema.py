"""ServiceSchema: the tables and the role of one service, for `migrate`. Importing it does not import SQLAlchemy."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    from sqlalchemy import MetaData


@dataclass(frozen=True)
class Migrations:
    """A folder of alembic migrations beside the library's own."""

    folder: Path
    version_table: str
    """The table in which alembic keeps the revision."""
    grants: LiteralString = ""
    """SQL that grants `{role}` the service's rights on these tables."""


@dataclass(frozen=True)
class ServiceSchema:
    """The tables of a service beside the library's, and the role that its processes sign in as."""

    database: str
    role: str
    source: str
    """The `ce-source` of its announcements: its outbox takes no others."""
    tables: "tuple[MetaData, ...]" = ()
    migrations: tuple[Migrations, ...] = ()
