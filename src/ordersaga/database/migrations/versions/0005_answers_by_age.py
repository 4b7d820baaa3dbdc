"""Answers to requests found by their age, to be forgotten after it."""

from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    op.execute("create index idempotency_keys_created_at on idempotency_keys using brin (created_at)")
