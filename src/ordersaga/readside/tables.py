"""The tables of every read side, as SQLAlchemy Core definitions; migrations create them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ordersaga.database.schema import message_columns

metadata = MetaData()

event_log = Table(
    "event_log",
    metadata,
    Column("message_id", Uuid, primary_key=True),
    *message_columns(JSONB),
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
    Index(
        "event_log_key_end",
        text('reverse("right"(key, 12))'),  # in the collation "C", which the catalogue keeps beside the expression
        postgresql_where=text("causation_id IS NULL"),
    ),
)
"""Every message of every source, once: the inbox of the read side's group, and the table of an audit trail."""

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
"""Every completed rebuild; `view` is null when it was of all views, `left_out` counts messages of the old log that no
stored event announces."""
