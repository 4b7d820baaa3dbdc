"""The read side's tables, as SQLAlchemy Core sees them; migrations create them."""

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
    LargeBinary,
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

from projections.views import payments, sagas
from projections.views.columns import ViewColumn

metadata = MetaData()

GENERATED = Computed("see the migration", persisted=True)
"""Of a column that the database computes from the others; the expression stands in the migration alone."""


TYPES: dict[str, TypeEngine[Any]] = {
    "bigint": BigInteger(),
    "jsonb": JSONB(),
    "text": Text(),
    "timestamptz": DateTime(timezone=True),
    "uuid": Uuid(),
}


def columns_of(view: Mapping[str, ViewColumn]) -> Iterator[Column[Any]]:
    """Those of a view; only what every message of the view tells is there from the first on."""
    for name, column in view.items():
        yield Column(name, TYPES[column.sql_type], nullable=bool(column.contracts))


event_log = Table(
    "event_log",
    metadata,
    Column("message_id", Uuid, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("event_hash", LargeBinary, nullable=False),
    Column("correlation_id", Uuid, nullable=False),
    Column("causation_id", Uuid),
    Column("actor", Text, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("tracestate", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Index("event_log_position", "position", unique=True),
    Index("event_log_key", "key", "position"),
    Index("event_log_actor", "actor", "position"),
    Index("event_log_contract", "contract", "position"),
    Index("event_log_actor_contract", "actor", "contract", "position"),
    Index("event_log_source", "source", "position"),
    Index("event_log_correlation", "correlation_id"),
    Index("event_log_causation", "causation_id", postgresql_where=text("causation_id is not null")),
    Index("event_log_time", "time"),
)
"""Every message of every service, once: the inbox of the group `projections` and the table of the audit trail."""

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
    Column("received", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    Column("shipped", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("on_hand", BigInteger, GENERATED, nullable=False),
    Column("set_aside", BigInteger, GENERATED, nullable=False),
    Column("available", BigInteger, GENERATED, nullable=False),
)
"""Prices in minor units; `priced_sequence` is the version of the product that they are from."""

payment_view = Table(
    "payment_view",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    *columns_of(payments.COLUMNS),
    Column("state", Text, GENERATED, nullable=False),
    Index("payment_view_last", text("last_at desc"), text("order_id desc")),
    Index("payment_view_state", "state", text("last_at desc"), text("order_id desc")),
)
"""Amounts in minor units; `state` is captured, declined, charged_late or refunded."""

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
"""By contract, and `taken_back`: orders that were confirmed and are cancelled."""

rebuilds = Table(
    "rebuilds",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("view", Text),
    Column("dry_run", Boolean, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),
    Column("left_out", BigInteger, nullable=False),
)
"""Every rebuild that came to its end; `view` is null when it was of everything, `left_out` counts messages of the old
log that no stored event announces."""
