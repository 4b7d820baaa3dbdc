"""The read side's tables, as SQLAlchemy Core sees them; migrations create them."""

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, MetaData, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

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
    Index("event_log_key", "key", "time"),
    Index("event_log_correlation", "correlation_id"),
    Index("event_log_time", "time"),
)
"""Every message of every service, once: the inbox of the group `projections` and the table of the audit trail."""
