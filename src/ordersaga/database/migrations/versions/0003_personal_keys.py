"""A key for each person whose data is sealed; erased once, never brought back."""

from alembic import op

revision = "0003"
down_revision = "0002"

PERSONAL_KEYS = """
create table personal_keys (
    subject text not null,
    generation integer not null,
    id uuid not null default gen_random_uuid(),
    key bytea check ((key is null) = (erased_at is not null and erased_by is not null and reason is not null)),
    created_at timestamptz not null default now(),
    erased_at timestamptz,
    erased_by text,
    reason text,
    primary key (subject, generation),
    constraint personal_keys_id unique (id)
);
comment on column personal_keys.generation is 'after an erasure the same person may get a new key';
comment on column personal_keys.key is 'null: erased';
create unique index personal_keys_current on personal_keys (subject) where key is not null;
"""

ERASED_ONCE = """
create function refuse_all_but_erasing() returns trigger language plpgsql as $$
begin
    if old.key is not null and new.key is null
        and (new.subject, new.generation, new.id, new.created_at)
            = (old.subject, old.generation, old.id, old.created_at)
    then
        return new;
    end if;
    raise exception 'a personal key is erased once and otherwise never changed'
        using errcode = 'insufficient_privilege', hint = 'New data of the person gets a new key.';
end
$$;
create trigger personal_keys_erased_once before update on personal_keys
    for each row execute function refuse_all_but_erasing();
create trigger personal_keys_append_only before delete or truncate on personal_keys
    for each statement execute function refuse_change();
"""


def upgrade() -> None:
    op.execute(PERSONAL_KEYS)
    op.execute(ERASED_ONCE)
