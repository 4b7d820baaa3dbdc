"""The index of the last digits of keys."""

from alembic import op

revision = "0002"
down_revision = "0001"

# A saga has one message that no other caused, so this index costs one entry a saga.
KEY_END = """
create index event_log_key_end on event_log (reverse("right"(key, 12)) collate "C") where causation_id is null
"""


def upgrade() -> None:
    op.execute(KEY_END)
