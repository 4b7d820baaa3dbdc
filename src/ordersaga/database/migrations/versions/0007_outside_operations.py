"""A parked message says which operation of a resource it waits for, and whether that may have been called."""

from alembic import op

revision = "0007"
down_revision = "0006"

OPERATIONS = """
alter table parked_messages add operation text not null default '', add called boolean not null default true;
comment on column parked_messages.operation is 'what its outside step waits for';
comment on column parked_messages.called is 'its outside step may have been called';
"""


def upgrade() -> None:
    op.execute(OPERATIONS)
