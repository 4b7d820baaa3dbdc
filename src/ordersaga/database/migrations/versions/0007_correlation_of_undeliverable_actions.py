"""The request that an undeliverable message was part of: it may never have reached the event log, which would know."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("alter table undeliverable_actions add correlation_id uuid")
    op.execute("comment on column undeliverable_actions.correlation_id is 'null: recorded by an older version'")
