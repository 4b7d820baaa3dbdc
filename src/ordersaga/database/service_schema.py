"""What `migrate` is told of a service's database; importing it costs no SQLAlchemy, which workers do not need."""

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
    """SQL that grants `{role}` what the service needs of these tables."""


@dataclass(frozen=True)
class ServiceSchema:
    """What a database is to have beside the library's tables, and the role that its service signs in as."""

    database: str
    role: str
    tables: "tuple[MetaData, ...]" = ()
    migrations: tuple[Migrations, ...] = ()
