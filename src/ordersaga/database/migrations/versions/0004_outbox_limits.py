"""The outbox refuses what consumers would refuse; what the relay itself refuses has kinds in `undeliverable`.

The limits are those of `ordersaga.envelope.limits`. They hold for new rows: those of before are checked by the relay.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

OUTBOX = r"""
alter table outbox
    add constraint outbox_contract check (
        octet_length(contract) <= 200 and contract ~ '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.v[0-9]+$') not valid,
    add constraint outbox_key check (octet_length(key) between 1 and 512) not valid,
    add constraint outbox_sequence check (sequence >= 0) not valid,
    add constraint outbox_time check (time >= '2000-01-01 00:00+00' and time < '2200-01-01 00:00+00') not valid,
    add constraint outbox_event_hash check (octet_length(event_hash) = 32) not valid,
    add constraint outbox_actor check (octet_length(actor) <= 1024) not valid,
    add constraint outbox_trace check (octet_length(traceparent) <= 55 and octet_length(tracestate) <= 512) not valid,
    add constraint outbox_body check (octet_length(body) <= 8388608) not valid;
"""

# A key of before may be longer than the third of a page that an index takes. Two messages may claim one id: neither may
# make the other vanish.
UNDELIVERABLE = """
alter table undeliverable drop constraint undeliverable_kind_check,
    add check (kind in ('nacked', 'returned', 'too_large', 'foreign_source', 'invalid', 'unknown_contract', 'waits'));
comment on column undeliverable.next_attempt_at is
    'null: when it is the first of its key (waits), or when a person retries it';
alter table undeliverable drop constraint undeliverable_pkey, add primary key (position);
create index undeliverable_message on undeliverable (message_id);
drop index undeliverable_key;
create index undeliverable_key on undeliverable (left(key, 512), position);
"""


def upgrade() -> None:
    op.execute(OUTBOX)
    op.execute(UNDELIVERABLE)
