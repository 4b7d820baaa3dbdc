"""The tables of alarms and of the figures of each minute, as SQLAlchemy Core sees them; migrations create them."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata = MetaData()
TIME = DateTime(timezone=True)

alarms = Table(
    "alarms",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("raised_at", TIME, nullable=False),
    Column("cleared_at", TIME),
    Index("alarms_standing", "name", "subject", unique=True, postgresql_where=text("cleared_at is null")),
    Index("alarms_raised", text("raised_at desc"), text("id desc")),
)
"""One row for each alarm from its beginning to its end; `text` is that of the beginning, `address` a dashboard page."""

alarm_changes = Table(
    "alarm_changes",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("alarm", BigInteger, ForeignKey("alarms.id"), nullable=False),
    Column("change", Text, nullable=False),
    Column("at", TIME, nullable=False),
    UniqueConstraint("alarm", "change"),
)
"""Append-only: `raised` or `cleared` for each beginning and end. Positions become visible in order, because every
writer holds the row of `alarm_recorder` until its commit, so that a reader with a cursor misses nothing."""

alarm_recorder = Table(
    "alarm_recorder",
    metadata,
    Column("one", BigInteger, primary_key=True),
    Column("holder", Uuid, nullable=False),
    Column("until", TIME, nullable=False),
)
"""One row: the process that records alarms and figures. Another one takes over when `until` has passed."""

figure_minutes = Table(
    "figure_minutes",
    metadata,
    Column("figure", Text, primary_key=True),
    Column("minute", TIME, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("value", Double, nullable=False),
)
"""Figures of the running system for thirty days; a minute without rows is one that nobody recorded."""

figure_hours = Table(
    "figure_hours",
    metadata,
    Column("figure", Text, primary_key=True),
    Column("hour", TIME, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("mean", Double, nullable=False),
    Column("greatest", Double, nullable=False),
)
"""Of the same minutes: charts of weeks read these."""
