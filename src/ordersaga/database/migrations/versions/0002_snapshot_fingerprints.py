"""Snapshots carry the fingerprint of the code that took them; those of before are ignored."""

from alembic import op

revision = "0002"
down_revision = "0001"

FINGERPRINT = """
alter table snapshots add column fingerprint text not null default '';
alter table snapshots drop constraint snapshots_pkey,
    add primary key (originator_id, originator_version, fingerprint);
comment on column snapshots.fingerprint is
    'of the code that took it: other code ignores it, and so does everybody when it is empty';
"""


def upgrade() -> None:
    op.execute(FINGERPRINT)
