"""The cursor says what keeps its relay from publishing, so that a command on another machine can tell."""

from alembic import op

revision = "0003"
down_revision = "0002"

PROBLEM = """
alter table relay_cursor add column problem text;
comment on column relay_cursor.problem is 'why the active relay publishes nothing; null: it publishes';
"""


def upgrade() -> None:
    op.execute(PROBLEM)
