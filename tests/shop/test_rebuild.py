"""What a rebuild promises: the read side as the stores tell it, and whatever differed before is named."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from devstack.state import ROOT
from ordersaga.readside.rebuild import session
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.readside.rebuild.one_view import rebuild_view
from ordersaga.runtime.settings import url_variable
from projections.service import projections
from projections.views import VIEWS
from tests.shop.support.trading_read_side import TABLES, ReadSide, trading
from tests.support.databases import Database, Databases

CATALOGUE = {
    "columns": """select attrelid::regclass::text,
        row_number() over (partition by attrelid order by attnum), attname,
        format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attstorage, pg_get_expr(adbin, adrelid)
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = any(%(tables)s::regclass[]) and attnum > 0 and not attisdropped order by 1, 2""",
    "constraints": """select conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid)
        from pg_constraint where conrelid = any(%(tables)s::regclass[]) order by 1, 2""",
    "indexes": "select indexname, indexdef from pg_indexes where tablename = any(%(tables)s) and schemaname = 'public'",
    "rights": """select relname, relowner, relpersistence, reloptions, acl::text from pg_class, unnest(relacl) as acl
        where oid = any(%(tables)s::regclass[]) order by 1, 5""",
    "sequences": """select pg_get_serial_sequence(name, 'position') from unnest(%(tables)s::text[]) as name
        where name = 'event_log'""",
    "triggers": "select pg_get_triggerdef(oid) from pg_trigger where tgrelid = any(%(tables)s::regclass[]) order by 1",
}


def catalogue(database: Database) -> dict[str, list[str]]:
    """Everything that the database says of the live tables."""
    return {what: sorted(map(str, database.rows(query, {"tables": list(TABLES)}))) for what, query in CATALOGUE.items()}


@pytest.fixture
def side(database: Databases) -> Iterator[ReadSide]:
    with trading(database) as side:
        yield side


def named(found: list[RebuildFinding]) -> list[tuple[str, str, list[str]]]:
    return sorted((finding.kind, finding.table, sorted(finding.columns)) for finding in found)


def test_a_rebuild_of_a_sound_read_side_finds_nothing_and_changes_no_row(side: ReadSide) -> None:
    before = side.contents()
    for _ in range(2):
        result, found = side.rebuild()
        assert found == []
        assert side.contents() == before
        assert result.messages == len(before["event_log"]) > 20
        assert result.recovered == 0


def test_the_tables_of_a_rebuild_are_in_the_catalogue_what_those_of_the_migrations_were(side: ReadSide) -> None:
    side.as_owner(
        """alter table saga_view set (fillfactor = 80); grant select on minute_view to relay with grant option;
        create function watch() returns trigger language plpgsql as 'begin return null; end';
        create trigger watched before truncate on event_log execute function watch()"""
    )
    before = catalogue(side.database)
    side.rebuild()
    assert catalogue(side.database) == before
    side.rebuild()
    assert catalogue(side.database) == before
    rebuild_view(projections, side.urls["projections"], "saga_view", print)
    assert catalogue(side.database) == before


def test_nothing_hangs_off_the_live_tables_that_a_swap_would_leave_behind(side: ReadSide) -> None:
    """A database view or a foreign key follows the replaced table."""
    query = """select objid::text from pg_depend join pg_rewrite r on r.oid = objid
        where refobjid = any(%(tables)s::regclass[]) and ev_class <> refobjid
        union all select conname from pg_constraint where confrelid = any(%(tables)s::regclass[])"""
    assert side.database.rows(query, {"tables": list(TABLES)}) == []


def test_the_projector_goes_on_after_a_rebuild_as_if_nothing_had_been(side: ReadSide) -> None:
    side.rebuild()
    heard = side.database.rows("select position from event_log order by 1")
    side.trade()
    side.project()
    after = side.contents()
    assert side.database.rows("select position from event_log order by 1")[: len(heard)] == heard
    assert len(after["event_log"]) > len(heard)
    assert side.rebuild()[1] == []
    assert side.contents() == after


def test_a_lost_projections_database_comes_back_whole(side: ReadSide) -> None:
    before = side.contents()
    side.as_owner(f"truncate {', '.join(TABLES)}")
    result, found = side.rebuild()
    assert result.recovered == len(found) == len(before["event_log"])
    after = side.contents()
    assert {view: after[view] for view in VIEWS} == {view: before[view] for view in VIEWS}
    messages = "select message_id, contract, source, key, sequence, time, event_hash, correlation_id, actor, body"
    assert len(after["event_log"]) == len(before["event_log"])
    assert side.database.rows(f"{messages} from event_log order by 1") == [
        row[:8] + (row[9], row[12]) for row in before["event_log"]
    ]


@pytest.mark.parametrize(
    ("corruption", "kind", "view", "columns"),
    [
        (
            "update saga_view set total = 1, correlation_id = null returning order_id",
            *("differs", "saga_view", ["correlation_id", "total"]),
        ),
        ("delete from payment_view returning order_id", "missing", "payment_view", []),
        (
            "update stock_view set shipped = shipped + 1 returning sku",
            *("differs", "stock_view", ["on_hand", "set_aside", "shipped"]),
        ),
        (
            """insert into minute_view values ('2020-01-01Z', 'orders.order_placed.v1', 7)
            returning to_jsonb(minute) ->> 0""",
            *("unexpected", "minute_view", []),
        ),
    ],
    ids=["sagas", "payments", "stock", "minutes"],
)
def test_a_dry_run_names_each_row_of_a_view_that_somebody_changed_and_a_rebuild_mends_it(
    side: ReadSide, corruption: str, kind: str, view: str, columns: list[str]
) -> None:
    before = side.contents()
    changed = side.by_hand(corruption)
    corrupt = side.contents()
    _, found = side.rebuild(dry_run=True)
    assert {next(iter(finding.row.values())) for finding in found} == {str(row[0]) for row in changed}
    assert named(found) == [(kind, view, columns)] * len(changed)
    assert side.contents() == corrupt
    assert side.rebuild()[1] == found
    assert side.contents() == before
    assert side.rebuild()[1] == []


def test_one_view_is_rebuilt_from_the_log_and_the_others_stay_as_they_are(side: ReadSide) -> None:
    before = side.contents()
    side.by_hand("update saga_view set total = 1 returning 1")
    side.by_hand("update payment_view set amount = 1 where amount is not null returning 1")
    found: list[RebuildFinding] = []
    url = side.urls["projections"]
    assert (
        rebuild_view(projections, url, "saga_view", found.append, dry_run=True).findings
        == len(found)
        == len(before["saga_view"])
    )
    assert side.contents()["saga_view"] != before["saga_view"]
    rebuild_view(projections, url, "saga_view", found.append)
    assert side.contents()["saga_view"] == before["saga_view"]
    assert side.contents()["payment_view"] != before["payment_view"]


def test_a_message_that_never_reached_the_log_is_named_and_recovered_behind_all_others(side: ReadSide) -> None:
    side.trade()
    lost, *rest = side.unheard()
    side.project(rest)
    [(last,)] = side.database.rows("select max(position) from event_log")
    _, found = side.rebuild(dry_run=True)
    assert [(finding.kind, finding.row["message_id"]) for finding in found] == [("missing", str(lost.id))]
    result, _ = side.rebuild()
    assert result.recovered == 1
    [(position, body)] = side.database.rows("select position, body from event_log where message_id = %s", [lost.id])
    assert position > last
    assert body == json.loads(lost.body)
    after = side.contents()
    side.project([lost])
    assert side.contents() == after
    assert side.rebuild()[1] == []


@pytest.mark.parametrize("view", [None, "saga_view"])
def test_a_database_view_of_somebody_else_is_not_lost(side: ReadSide, view: str | None) -> None:
    side.as_owner("create view report as select state, count(*) from saga_view group by state")
    with pytest.raises(session.RebuildRefused, match=r"^report reads what is to be replaced and would go with it"):
        rebuild_view(projections, side.urls["projections"], view, print) if view else side.rebuild()
    assert side.database.rows("select sum(count) > 0 from report") == [(True,)]
    side.rebuild(dry_run=True)
    side.as_owner("drop view report")
    assert side.rebuild()[1] == []


def test_a_message_that_no_event_explains_is_named_left_out_and_kept_among_what_was_replaced(side: ReadSide) -> None:
    before = side.contents()
    columns = "contract, source, key, sequence, time, event_hash, correlation_id, causation_id, actor, '', '', body"
    [(stranger,)] = side.by_hand(
        f"""insert into event_log (message_id, contract, source, key, sequence, time, event_hash, correlation_id,
            causation_id, actor, traceparent, tracestate, body)
        select gen_random_uuid(), {columns} from event_log limit 1 returning message_id"""  # noqa: S608
    )
    result, found = side.rebuild()
    assert named(found) == [("unexpected", "event_log", [])]
    assert found[0].row["message_id"] == str(stranger)
    assert result.left_out == 1
    assert side.contents() == before
    assert side.database.rows("select 1 from replaced.event_log where message_id = %s", [stranger])
    assert side.rebuild()[1] == []
    assert side.database.rows("select 1 from pg_namespace where nspname in ('replaced', 'rebuild')") == []


def test_a_message_that_was_altered_in_the_log_is_named_with_its_columns(side: ReadSide) -> None:
    before = side.contents()
    side.by_hand(
        """update event_log set actor = 'mallory', body = body || '{"total": 7}'
        where message_id = (select message_id from event_log where contract = 'orders.order_placed.v1' limit 1)
        returning 1"""
    )
    _, found = side.rebuild()
    assert named(found) == [("differs", "event_log", ["actor", "body"])]
    assert "mallory" in str(found[0])
    assert side.contents() == before


def test_a_message_whose_contract_has_grown_since_is_no_finding(side: ReadSide) -> None:
    side.by_hand("""update event_log set body = body || '{"later": null}' returning 1""")
    assert side.rebuild(dry_run=True)[1] == []


def test_what_a_person_skipped_stays_skipped(side: ReadSide) -> None:
    side.trade()
    skipped, *rest = side.unheard()
    side.project(rest)
    side.by_hand(
        "insert into inbox (message_id, contract, source, event_hash) values (%s, %s, %s, %s) returning 1",
        (skipped.id, skipped.contract, skipped.source, skipped.event_hash),
    )
    before = side.contents()
    assert side.rebuild()[1] == []
    assert side.contents() == before


def test_a_second_rebuild_at_the_same_time_is_refused_with_a_reason(
    side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LEFTOVER_SECONDS", 0)
    with (
        session.exclusive(side.urls["projections"]),
        pytest.raises(session.RebuildRefused, match="Another rebuild runs"),
    ):
        side.rebuild()
    assert side.rebuild()[1] == []


def test_every_rebuild_that_came_to_its_end_is_remembered(side: ReadSide) -> None:
    side.rebuild(dry_run=True)
    rebuild_view(projections, side.urls["projections"], "minute_view", print)
    rows = side.database.rows("select dry_run, view, findings from rebuilds order by number")
    assert rows == [(True, None, 0), (False, "minute_view", 0)]


def test_the_command_prints_every_finding_as_json(side: ReadSide) -> None:
    gone = side.by_hand("delete from event_log where contract = 'orders.order_placed.v1' returning message_id")
    urls = {url_variable(name): url for name, url in side.urls.items()}
    command = [sys.executable, "-m", "devstack", "projections", "rebuild", "--dry-run", "--json", "--patience", "0"]
    environment = {**os.environ, **urls, "AMQP_URL": "amqp://unused"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert (said["clean"], said["dry_run"]) == (False, True)
    assert sum(finding["table"] == "event_log" for finding in said["findings"]) == len(gone)
