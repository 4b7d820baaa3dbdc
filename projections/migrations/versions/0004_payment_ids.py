"""Payments by the id of their charge and of their refund."""

from alembic import op

revision = "0004"
down_revision = "0003"

INDEXES = """
create index payment_view_charge on payment_view (charge_id) where charge_id is not null;
create index payment_view_refund on payment_view (refund_id) where refund_id is not null;
"""


def upgrade() -> None:
    op.execute(INDEXES)
