"""The tables of the views, as SQLAlchemy Core sees them; migrations create them."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from projections.views import payments, refunds, sagas
from projections.views.columns import ViewColumn

metadata = MetaData()

GENERATED = Computed("see the migration", persisted=True)
"""Marks a column that Postgres computes from the others; only the migration has the expression."""


TYPES: dict[str, TypeEngine[Any]] = {
    "bigint": BigInteger(),
    "jsonb": JSONB(),
    "text": Text(),
    "timestamptz": DateTime(timezone=True),
    "uuid": Uuid(),
}


def columns_of(view: Mapping[str, ViewColumn]) -> Iterator[Column[Any]]:
    """The columns of a view; a column is not null when every message gives its value."""
    for name, column in view.items():
        yield Column(name, TYPES[column.sql_type], nullable=bool(column.contracts))


saga_view = Table(
    "saga_view",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    *columns_of(sagas.COLUMNS),
    Column("state", Text, GENERATED, nullable=False),
    Column("step", SmallInteger, GENERATED, nullable=False),
    Column("waits_for", Text, GENERATED),
    Column("waits_since", DateTime(timezone=True), GENERATED),
    Column("ended_at", DateTime(timezone=True), GENERATED),
    Index("saga_view_placed", text("placed_at desc"), text("order_id desc")),
    Index("saga_view_state", "state", text("placed_at desc"), text("order_id desc")),
    Index("saga_view_customer", "customer", text("placed_at desc"), text("order_id desc")),
    Index("saga_view_waiting", "waits_since", "order_id", postgresql_where=text("waits_for is not null")),
    Index(
        "saga_view_unfinished",
        "waits_for",
        text("placed_at desc"),
        text("order_id desc"),
        postgresql_where=text("waits_for is not null"),
    ),
    Index("saga_view_ended", "ended_at"),
)
"""Total in minor units. `state` is placed, confirmed or cancelled; `step` counts placed, reserved, charged, confirmed;
`waits_for` is stock, payment, confirmation, cancellation, shipment, release or refund, and null when it has ended."""

stock_view = Table(
    "stock_view",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("name", Text),
    Column("unit_price", BigInteger),
    Column("currency", Text),
    Column("priced_sequence", BigInteger),
    Column("retired_sequence", BigInteger),
    Column("received", BigInteger, nullable=False),
    Column("corrected", BigInteger, nullable=False, server_default=text("0")),
    Column("reserved", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    Column("shipped", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("on_hand", BigInteger, GENERATED, nullable=False),
    Column("set_aside", BigInteger, GENERATED, nullable=False),
    Column("available", BigInteger, GENERATED, nullable=False),
    Column("retired", Boolean, GENERATED, nullable=False),
)
"""Prices in minor units; `priced_sequence` is the version of the product that they are from, `retired_sequence` that of
its last retirement."""

payment_view = Table(
    "payment_view",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    *columns_of(payments.COLUMNS),
    Column("state", Text, GENERATED, nullable=False),
    Index("payment_view_last", text("last_at desc"), text("order_id desc")),
    Index("payment_view_state", "state", text("last_at desc"), text("order_id desc")),
    Index("payment_view_charge", "charge_id", postgresql_where=text("charge_id is not null")),
    Index("payment_view_refund", "refund_id", postgresql_where=text("refund_id is not null")),
)
"""Amounts in minor units; `state` is captured, declined, charged_late, refund_pending, refund_failed, refund_requested
or refunded."""

refund_view = Table(
    "refund_view",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("part", BigInteger, primary_key=True),
    *columns_of(refunds.COLUMNS),
    Column("state", Text, GENERATED, nullable=False),
    Index("refund_view_failed", "order_id", postgresql_where=text("state = 'failed'")),
    Index("refund_view_refund", "refund_id", postgresql_where=text("refund_id is not null")),
)
"""Amounts in minor units; `state` is requested, pending, refunded or failed."""

order_notes = Table(
    "order_notes",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("order_notes_order", "order_id", "position"),
    Index("order_notes_time", "noted_at"),
)
"""What operators wrote about orders, append-only by privilege; no message, so a rebuild leaves it alone."""

minute_view = Table(
    "minute_view",
    metadata,
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("contract", Text, primary_key=True),
    Column("messages", BigInteger, nullable=False),
)

total_view = Table(
    "total_view",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""By contract, and `cancelled_after_confirmation`: orders that were confirmed and are cancelled."""
