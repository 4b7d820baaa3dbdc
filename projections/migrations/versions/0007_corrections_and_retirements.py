"""Stock that was corrected, and products that are retired."""

from alembic import op

revision = "0007"
down_revision = "0006"

# The default lets a worker of the version before go on until it is replaced.
STOCK_VIEW = """
alter table stock_view
    add column retired_sequence bigint,
    add column corrected bigint not null default 0,
    drop column on_hand,
    drop column available;
alter table stock_view
    add column on_hand bigint not null generated always as (received + corrected - shipped + returned) stored,
    add column available bigint not null
        generated always as (received + corrected - reserved + released + returned) stored,
    add column retired boolean not null
        generated always as (coalesce(retired_sequence > coalesce(priced_sequence, 0), false)) stored;
"""


def upgrade() -> None:
    op.execute(STOCK_VIEW)
