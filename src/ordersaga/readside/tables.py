"""The tables of every read side, as SQLAlchemy Core definitions; migrations create them."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
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

webhook_subscriptions = Table(
    "webhook_subscriptions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("format", Text, CheckConstraint("format in ('cloudevents', 'text')"), nullable=False),
    Column("description", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_secret_until", DateTime(timezone=True)),
    Column("state", Text, CheckConstraint("state in ('active', 'paused', 'disabled')"), nullable=False),
    Column("state_reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("first_position", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("alarm_position", BigInteger, nullable=False, server_default=text("0")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", DateTime(timezone=True)),
    Column("last_success_at", DateTime(timezone=True)),
)
"""Where messages and alarms are sent to. `position` is that of the last message of the log that was looked at, never
before `first_position`; `alarm_position` is that of the last change of an alarm. Secrets are sealed; `failures` counts
failed attempts since the last delivery."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("subscription_id", Uuid, ForeignKey("webhook_subscriptions.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, CheckConstraint("state in ('pending', 'delivered', 'failed')"), nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("history", JSONB, nullable=False, server_default=text("'[]'")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ended_at", DateTime(timezone=True)),
    UniqueConstraint("subscription_id", "message_id"),
    Index("webhook_deliveries_pending", "subscription_id", "id", postgresql_where=text("state = 'pending'")),
    Index("webhook_deliveries_failed", "subscription_id", "id", postgresql_where=text("state = 'failed'")),
    Index("webhook_deliveries_newest", "subscription_id", "id"),
    Index("webhook_deliveries_ended", "ended_at", postgresql_where=text("ended_at is not null")),
)
"""One message for one subscription; `history` has the last attempts, the newest last."""

webhook_actions = Table(
    "webhook_actions",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("subscription_id", Uuid, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("acted_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("detail", JSONB, nullable=False),
    Index("webhook_actions_subscription", "subscription_id", "position"),
)
"""What people did to subscriptions and deliveries, append-only by privilege: it outlives both."""
