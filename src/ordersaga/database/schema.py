"""The library's tables in every service database, as SQLAlchemy Core definitions; migrations create them."""

from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import UserDefinedType

from ordersaga.envelope import limits

metadata = MetaData()


class Xid8(UserDefinedType[str]):
    """A 64-bit transaction id; it never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


class PgSnapshot(UserDefinedType[str]):
    """The transactions that were visible at one moment."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "pg_snapshot"


def xid() -> Column[str]:
    """The transaction that wrote the row; windows between snapshots are cut by it."""
    return Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()"))


def moment(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


HELD = "true: a person holds it; false: a person retries it although its failure is on hold; null: as its failure is"


def held() -> Column[Any]:
    """Whether a person keeps a refused message from being tried."""
    return Column("held", Boolean, comment=HELD)


def message_columns(body: type[Text] | type[JSONB]) -> list[Column[Any]]:
    """The columns of a message after its id; every table that keeps messages has them."""
    return [
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
        Column("body", body, nullable=False),
    ]


stored_events = Table(
    "stored_events",
    metadata,
    Column("originator_id", Uuid, primary_key=True),
    Column("originator_version", BigInteger, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    xid(),
    moment("recorded_at"),
    Column("correlation_id", Uuid),
    Column("causation_id", Uuid),
    Column("actor", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("position", name="stored_events_position"),
    Index("stored_events_window", "xid", "position"),
    Index("stored_events_first", "topic", "position", postgresql_where=text("originator_version = 1")),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("originator_id", Uuid, primary_key=True),
    Column("originator_version", BigInteger, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column(
        "fingerprint",
        Text,
        primary_key=True,
        server_default="",
        comment="of the code that took it: other code ignores it, and so does everybody when it is empty",
    ),
)

OUTBOX_LIMITS = {
    "outbox_contract": rf"octet_length(contract) <= {limits.MAX_CONTRACT} and contract ~ '^{limits.CONTRACT.pattern}$'",
    "outbox_key": f"octet_length(key) between 1 and {limits.MAX_KEY}",
    "outbox_sequence": "sequence >= 0",
    "outbox_time": f"time >= '{limits.FIRST_YEAR}-01-01 00:00+00' and time < '{limits.LAST_YEAR + 1}-01-01 00:00+00'",
    "outbox_event_hash": f"octet_length(event_hash) = {limits.HASH_BYTES}",
    "outbox_actor": f"octet_length(actor) <= {limits.MAX_ACTOR}",
    "outbox_trace": "octet_length(traceparent) <= 55 and octet_length(tracestate) <= 512",
    "outbox_body": f"octet_length(body) <= {limits.MAX_BODY}",
}
"""Constraint -> condition: what consumers would refuse does not get into an outbox."""

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    xid(),
    Column("message_id", Uuid, nullable=False),
    *message_columns(Text),
    *(CheckConstraint(condition, name=name) for name, condition in OUTBOX_LIMITS.items()),
    Index("outbox_window", "xid", "position"),
)
"""`migrate` adds the constraint `outbox_source`, which names the service."""

relay_cursor = Table(
    "relay_cursor",
    metadata,
    Column("single", Boolean, CheckConstraint("single"), primary_key=True, server_default=text("true")),
    Column("system_identifier", Text, nullable=False),
    Column("published", PgSnapshot, nullable=False, comment="S1: everything visible in it is confirmed"),
    Column("target", PgSnapshot, comment="S2: end of the window under way, null between windows"),
    Column("confirmed_position", BigInteger, comment="the window is confirmed up to here"),
    Column("problem", Text, comment="why the active relay publishes nothing; null: it publishes"),
    xid(),
    moment("moved_at"),
)

detached_queues = Table(
    "detached_queues",
    metadata,
    Column("queue", Text, primary_key=True),
    Column(
        "audience",
        Text,
        CheckConstraint("audience in ('queue', 'others')"),
        nullable=False,
        comment="who lacks messages: the queue, or, once the queue has them all, queues that no group of the "
        "application has",
    ),
    Column("partitions", ARRAY(SmallInteger), nullable=False, comment="whose messages do not go to `events`"),
    Column("lacked_from", PgSnapshot, nullable=False, comment="the others lack the rows that are not visible in it"),
    Column("published", PgSnapshot, nullable=False, comment="the audience has every row visible in it"),
    Column("target", PgSnapshot, comment="end of the window under way, null between windows"),
    Column("confirmed_position", BigInteger, comment="the window is confirmed up to here"),
    moment("since"),
)
"""Queues that give no answer: everything else flows around them, and they are caught up from the outbox."""

UNDELIVERABLE_KINDS = ("nacked", "returned", "too_large", "foreign_source", "invalid", "unknown_contract", "waits")

undeliverable = Table(
    "undeliverable",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column(
        "position",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="of its row in the outbox: the order within a key",
    ),
    *message_columns(Text),
    Column("kind", Text, CheckConstraint(f"kind in {UNDELIVERABLE_KINDS}"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column(
        "next_attempt_at",
        DateTime(timezone=True),
        comment="null: when it is the first of its key (waits), or when a person retries it",
    ),
    moment("refused_at"),
    held(),
    Index("undeliverable_message", "message_id"),
    Index("undeliverable_key", text('"left"(key, 512)'), "position"),
)
"""Messages that the broker or the relay refused, and those that wait: copies, so that outbox rows can be purged."""

inbox = Table(
    "inbox",
    metadata,
    Column("message_id", Uuid, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_hash", LargeBinary, nullable=False),
    moment("received_at"),
    Index("inbox_received_at", "received_at"),
)

OUTCOMES = ("retried", "succeeded", "failed", "skipped")
"""What a run of retries counts."""

parked_messages = Table(
    "parked_messages",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", Uuid, nullable=False, unique=True),
    Column("key", Text, comment="null: nothing waits behind it"),
    Column("contract", Text),
    Column("routing_key", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, CheckConstraint("state in ('retrying', 'waiting', 'dead')"), nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default="", comment="file, line and function that raised"),
    Column("message", Text, nullable=False, server_default=""),
    Column("traceback", Text, nullable=False, server_default=""),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("next_attempt_at", DateTime(timezone=True), comment="null: no automatic attempt"),
    Column("tried_at", DateTime(timezone=True), comment="when the attempt under way began; null when none is"),
    moment("parked_at"),
    Column("edits", SmallInteger, nullable=False, server_default=text("0")),
    Column("original_body", LargeBinary, comment="the body as delivered; null when nobody has edited it"),
    held(),
    Column(
        "wanted_until",
        DateTime(timezone=True),
        comment="until then no attempt begins: a person is about to act on it",
    ),
    Column(
        "failed_at",
        DateTime(timezone=True),
        comment="when an attempt at it last failed; null: none has since a person retried it",
    ),
    Column("operation", Text, nullable=False, server_default="", comment="what its outside step waits for"),
    Column(
        "called", Boolean, nullable=False, server_default=text("true"), comment="its outside step may have been called"
    ),
    Index("parked_messages_key", "key", "position"),
    Index("parked_messages_due", "next_attempt_at", postgresql_where=text("state = 'retrying'")),
)

parked_actions = Table(
    "parked_actions",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("refused_by", Text, CheckConstraint("refused_by in ('reaction', 'broker')"), nullable=False),
    Column("action", Text, CheckConstraint("action in ('retry', 'edit', 'skip', 'hold', 'release')"), nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("key", Text),
    Column("contract", Text),
    Column("correlation_id", Uuid, comment="null: the envelope is broken"),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    moment("acted_at"),
    Column("state", Text, nullable=False, comment="as it was before the action, like the following columns"),
    Column("attempts", SmallInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("headers", JSONB, comment="null after a retry, which changes no message, and where the broker refused it"),
    Column("body", LargeBinary, comment="null after a retry"),
    Column("new_body", LargeBinary, comment="what an edit put in its place"),
    Index("parked_actions_message", "message_id", "position"),
)
"""What people did to messages that a reaction or the broker refused, append-only: it outlives the messages."""

failure_notes = Table(
    "failure_notes",
    metadata,
    Column("failure", Text, primary_key=True, comment="the name of the failure group, of contract, error and place"),
    Column("refused_by", Text, CheckConstraint("refused_by in ('reaction', 'broker')"), nullable=False),
    Column("contract", Text),
    Column("error", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("owner", Text, nullable=False, server_default=""),
    Column("link", Text, nullable=False, server_default=""),
    Column(
        "held_since",
        DateTime(timezone=True),
        CheckConstraint("(held_since is null) = (held_by is null and held_reason is null)"),
        comment="null: not on hold",
    ),
    Column("held_by", Text),
    Column("held_reason", Text),
    Column(
        "last_seen",
        DateTime(timezone=True),
        nullable=False,
        comment="when a message last failed so, to ten seconds",
    ),
    Index("failure_notes_held", "failure", postgresql_where=text("held_since is not null")),
)
"""What people wrote about failure groups; it outlives the messages."""

operator_actions = Table(
    "operator_actions",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column(
        "action",
        Text,
        CheckConstraint(
            "action in ('annotate', 'hold', 'release', 'skip group', 'start run', 'stop run', 'pause', 'resume', "
            "'begin seeding', 'complete seeding')"
        ),
        nullable=False,
    ),
    Column("failure", Text, comment="the failure group; null: not of one"),
    Column("run", BigInteger, comment="the run of retries; null: not of one"),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    moment("acted_at"),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Index("operator_actions_failure", "failure", "position", postgresql_where=text("failure is not null")),
    Index("operator_actions_pause", "position", postgresql_where=text("action in ('pause', 'resume')")),
)
"""What people did to failure groups, runs of retries and the consumer group, append-only."""

group_history = Table(
    "group_history",
    metadata,
    Column("single", Boolean, CheckConstraint("single"), primary_key=True, server_default=text("true")),
    Column("received_from", DateTime(timezone=True), comment="since when it gets every message; null: always"),
    Column("being_seeded", Boolean, nullable=False, server_default=text("false"), comment="history is on its way"),
)
"""One row: since when the consumer group of the service is to have received every message of its contracts."""

retry_runs = Table(
    "retry_runs",
    metadata,
    Column("run", BigInteger, Identity(always=True), primary_key=True),
    Column("failure", Text),
    Column("refused_by", Text, CheckConstraint("refused_by in ('reaction', 'broker')")),
    Column("state_wanted", Text, comment="only messages in this state; null: in any"),
    Column("key", Text),
    Column(
        "first",
        Integer,
        CheckConstraint("first >= 0"),
        nullable=False,
        comment="so many are retried at once, before any other",
    ),
    Column(
        "rate", REAL, CheckConstraint("rate > 0"), nullable=False, comment="messages a second, after the first ones"
    ),
    Column(
        "max_failed",
        CheckConstraint("max_failed between 0 and 1"),
        nullable=False,
        comment="it stops when a greater share of the first ones fails again",
    ),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('running', 'stopped', 'done')"),
        nullable=False,
        server_default="running",
    ),
    moment("started_at"),
    Column("ended_at", DateTime(timezone=True), CheckConstraint("(ended_at is null) = (state = 'running')")),
    Column("ended_by", Text),
    Column("end_reason", Text, nullable=False, server_default=""),
    Column("total", Integer, nullable=False),
    *(Column(name, Integer, nullable=False, server_default=text("0")) for name in OUTCOMES),
    Column(
        "last_reaction", BigInteger, nullable=False, comment="position of the last parked message that it may retry"
    ),
    Column("last_broker", BigInteger, nullable=False),
    Column(
        "next_reaction",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="position of the last parked message that it has retried",
    ),
    Column("next_broker", BigInteger, nullable=False, server_default=text("0")),
    moment("next_at"),
    moment("retried_at"),
    Index("retry_runs_one", text("coalesce(failure, '')"), unique=True, postgresql_where=text("state = 'running'")),
)

retry_run_messages = Table(
    "retry_run_messages",
    metadata,
    Column("run", BigInteger, ForeignKey("retry_runs.run"), primary_key=True),
    Column("refused_by", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    moment("retried_at"),
    comment="messages that a run has retried and that have neither succeeded nor failed since",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", Text, nullable=False),
    Column("subject", Uuid),
    moment("created_at"),
    Index("idempotency_keys_created_at", "created_at"),
)

deadlines = Table(
    "deadlines",
    metadata,
    Column("name", Text, primary_key=True),
    Column("aggregate_id", Uuid, primary_key=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("correlation_id", Uuid, nullable=False),
    Column("causation_id", Uuid),
    Column("traceparent", Text, nullable=False),
    Column("tracestate", Text, nullable=False),
    Index("deadlines_due_at", "due_at"),
)

personal_keys = Table(
    "personal_keys",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("generation", Integer, primary_key=True, comment="after an erasure the same person may get a new key"),
    Column("id", Uuid, nullable=False, server_default=func.gen_random_uuid()),
    Column(
        "key",
        LargeBinary,
        CheckConstraint("(key is null) = (erased_at is not null and erased_by is not null and reason is not null)"),
        comment="null: erased",
    ),
    moment("created_at"),
    Column("erased_at", DateTime(timezone=True)),
    Column("erased_by", Text),
    Column("reason", Text),
    UniqueConstraint("id", name="personal_keys_id"),
    Index("personal_keys_current", "subject", unique=True, postgresql_where=text("key is not null")),
)
"""The keys that seal personal data, one per person; an erased key never comes back."""
