"""A service with tables of its own and no events: it announces what it writes there, and writes what it hears."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ordersaga.database.migrate import migrate
from ordersaga.envelope.contract import Contract
from ordersaga.service import Service
from ordersaga.store.announcements import Announcements
from tests.conftest import AnyServers

NAME = "billing"


class InvoicePaid(Contract):
    """An invoice is paid."""

    NAME: ClassVar[str] = "billing.invoice_paid.v1"
    SOURCE: ClassVar[str] = "billing"
    KEY: ClassVar[str] = "invoice_id"
    invoice_id: UUID
    cents: int = 0


class Base(DeclarativeBase):
    """The application's own tables."""


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    paid: Mapped[bool] = mapped_column(default=False)


announcements = Announcements(NAME)
announcements.without_event(InvoicePaid)
billing = Service(NAME, announcements)


@contextmanager
def billing_database(servers: AnyServers) -> Iterator[str]:
    """URL of a migrated database that has the application's table too."""
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(NAME)))
        url = servers.postgres.superuser_url(NAME)
        try:
            migrate(billing.schema, url)
            with engine_of(url) as engine:
                Base.metadata.create_all(engine)
            yield url
        finally:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(NAME)))


@contextmanager
def engine_of(url: str, **options: Any) -> Iterator[Engine]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), **options)
    try:
        yield engine
    finally:
        engine.dispose()
