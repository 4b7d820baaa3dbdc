"""The order service's own table, as SQLAlchemy Core sees it; a migration creates it."""

from sqlalchemy import CheckConstraint, Column, DateTime, Index, MetaData, Table, Text, Uuid, text

metadata = MetaData()

order_list = Table(
    "order_list",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("state", Text, CheckConstraint("state in ('placed', 'confirmed', 'cancelled')"), nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Index("order_list_customer", "customer", "state", text("placed_at desc"), text("order_id desc")),
    Index("order_list_state", "state", text("placed_at desc"), text("order_id desc")),
)
"""A row for each order. A trigger on `stored_events` writes it in the statement that records an event of the order."""
