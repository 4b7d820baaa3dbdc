"""What somebody with every right in the databases does to history is named, live and from an export."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from order_service.commands import UnpricedLine
from ordersaga.audit import records
from ordersaga.audit.checkpoint import KeptCheckpoints
from ordersaga.audit.findings import KINDS
from ordersaga.audit.note import VerifierKey
from ordersaga.audit.sealed_log import read_notes
from ordersaga.audit.store import COLUMNS, EventRow
from ordersaga.store.hash_chain import GENESIS
from tests.shop.support.audited import AuditedShop
from tests.shop.support.saga import Saga
from tests.shop.support.saga_on_postgres import open_shop, parties_on_postgres
from tests.support.audited import judged_offline
from tests.support.databases import Databases

STORE = "order_service"


@pytest.fixture(scope="module")
def sealed(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AuditedShop:
    """Orders that have ended, sealed in three windows, the first of which is empty."""
    parties = parties_on_postgres(databases)
    sealed = AuditedShop({STORE: parties[STORE].database}, tmp_path_factory.mktemp("log"))
    sealed.seal()
    trade(open_shop(parties))
    for party in parties.values():
        party.close()
    assert sealed.seal() == 7
    sealed.price("pot")
    assert sealed.seal() == 1
    return sealed


@pytest.fixture
def audited(sealed: AuditedShop, database: Databases, tmp_path: Path) -> AuditedShop:
    """A copy to tamper with."""
    shutil.copytree(sealed.directory, tmp_path / "log")
    return AuditedShop({STORE: database.copy(sealed.stores[STORE])}, tmp_path / "log", sealed.signer)


def trade(saga: Saga) -> None:
    saga.receive_stock("cup", 4)
    for card in ("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"):
        saga.place([UnpricedLine("cup", 1)], card)
    saga.settle()


def streams(audited: AuditedShop) -> list[UUID]:
    """Of orders, each of two events."""
    select = "select originator_id from stored_events group by 1 having count(*) = 2 order by 1"
    return [stream for (stream,) in audited.by_hand(select)]


def rechain(audited: AuditedShop, stream: UUID) -> None:
    """The attacker makes the hashes of a stream anew, as they know how."""
    select = f"select {COLUMNS} from stored_events where originator_id = %s order by originator_version"  # noqa: S608
    previous = GENESIS
    for row in audited.by_hand(select, (stream,)):
        previous = EventRow.of(row).hash_after(previous)
        update = "update stored_events set hash = %s where originator_id = %s and originator_version = %s returning 1"
        audited.by_hand(update, (previous, stream, row[1]))


def named_everywhere(audited: AuditedShop) -> list[tuple[str, Any, Any]]:
    """What is found, which must be the same from an export, with nothing but its text and the public key."""
    found = audited.findings()
    assert judged_offline(audited.export(), audited.signer.verifier) == found
    assert all(finding.kind in KINDS for finding in found)
    assert all(finding.store == STORE for finding in found)
    return sorted((f.kind, f.stream, f.version) for f in found)


def test_what_was_not_touched_is_proven(audited: AuditedShop) -> None:
    assert audited.findings() == []
    assert judged_offline(audited.export(), audited.signer.verifier) == []


@pytest.mark.parametrize("chained", [False, True], ids=["as it is", "with its chain made anew"])
def test_an_edited_event_is_named(audited: AuditedShop, chained: bool) -> None:
    stream = streams(audited)[0]
    update = """update stored_events set state = state || ' '::bytea
        where originator_id = %s and originator_version = 1 returning 1"""
    audited.by_hand(update, (stream,))
    if chained:
        rechain(audited, stream)
    assert named_everywhere(audited) == [("edited", stream, version) for version in range(1, 3 if chained else 2)]


def test_an_actor_that_was_exchanged_is_named(audited: AuditedShop) -> None:
    stream = streams(audited)[0]
    update = (
        "update stored_events set actor = 'mallory' where originator_id = %s and originator_version = 1 returning 1"
    )
    audited.by_hand(update, (stream,))
    rechain(audited, stream)
    assert ("edited", stream, 1) in named_everywhere(audited)


def test_an_event_deleted_from_inside_its_stream_is_named(audited: AuditedShop) -> None:
    stream = streams(audited)[0]
    delete = "delete from stored_events where originator_id = %s and originator_version = 1 returning 1"
    audited.by_hand(delete, (stream,))
    assert named_everywhere(audited) == [("deleted", stream, 1)]


def test_a_stream_deleted_as_a_whole_is_named(audited: AuditedShop) -> None:
    stream = streams(audited)[0]
    audited.by_hand("delete from stored_events where originator_id = %s returning 1", (stream,))
    assert named_everywhere(audited) == [("deleted", stream, version) for version in (1, 2)]


def test_an_event_deleted_and_the_others_renumbered_is_named(audited: AuditedShop) -> None:
    stream = streams(audited)[0]
    delete = "delete from stored_events where originator_id = %s and originator_version = 1 returning 1"
    audited.by_hand(delete, (stream,))
    renumber = "update stored_events set originator_version = 1 where originator_id = %s returning 1"
    audited.by_hand(renumber, (stream,))
    rechain(audited, stream)
    named = named_everywhere(audited)
    assert ("edited", stream, 1) in named
    assert ("reordered", stream, 1) in named
    assert ("truncated", stream, 2) in named


def test_the_end_of_a_stream_that_was_cut_off_is_named(audited: AuditedShop) -> None:
    stream = streams(audited)[0]
    delete = "delete from stored_events where originator_id = %s and originator_version = %s returning 1"
    audited.by_hand(delete, (stream, 2))
    assert named_everywhere(audited) == [("truncated", stream, 2)]


def test_the_newest_events_of_a_store_that_were_cut_off_are_named(audited: AuditedShop) -> None:
    delete = """delete from stored_events where position > (select max(position) - 3 from stored_events)
        returning originator_id, originator_version"""
    gone = audited.by_hand(delete)
    named = named_everywhere(audited)
    assert {(stream, version) for _, stream, version in named} == set(gone)
    assert {kind for kind, *_ in named} <= {"truncated", "deleted"}


COPY = """
insert into stored_events overriding system value
select %(stream)s, %(version)s, topic, state, %(position)s, {xid}, recorded_at - %(before)s::interval,
    correlation_id, causation_id, actor, hash
from stored_events where originator_id = %(like)s and originator_version = 1 returning 1
"""


@pytest.mark.parametrize("xid", ["xid", "pg_current_xact_id()"], ids=["as if it had been there", "with an older time"])
def test_an_inserted_event_is_named(audited: AuditedShop, xid: str) -> None:
    """Its hash chain is made as it should be; the transaction, the position and the time are the attacker's choice."""
    like = streams(audited)[0]
    stream = UUID(int=like.int ^ 1)
    values = {"stream": stream, "version": 1, "position": 1_000_000, "like": like, "before": timedelta(hours=1)}
    audited.by_hand(COPY.format(xid=xid), values)
    rechain(audited, stream)
    assert named_everywhere(audited) == [("inserted", stream, 1)]
    if xid != "xid":
        audited.seal()
        assert named_everywhere(audited) == [("inserted", stream, 1)]


def test_two_events_that_changed_places_are_named(audited: AuditedShop) -> None:
    one, other = streams(audited)[:2]
    swap = """update stored_events e set originator_id = case originator_id when %(one)s then %(other)s else %(one)s end
        where originator_id in (%(one)s, %(other)s) and originator_version = %(version)s returning 1"""
    for version in (1, 2):
        # Two steps, for the primary key is checked row by row.
        move = "update stored_events set originator_version = %s where originator_id = %s and originator_version = %s"
        audited.by_hand(f"{move} returning 1", (90 + version, other, version))
        audited.by_hand(swap, {"one": one, "other": other, "version": version})
        swap_back = swap.replace("= %(version)s", "= 90 + %(version)s")
        audited.by_hand(swap_back, {"one": one, "other": other, "version": version})
        audited.by_hand(f"{move} returning 1", (version, one, 90 + version))
    rechain(audited, one)
    rechain(audited, other)
    named = named_everywhere(audited)
    for stream in (one, other):
        assert {("reordered", stream, 1), ("reordered", stream, 2)} <= set(named)


def test_positions_that_were_exchanged_are_named(audited: AuditedShop) -> None:
    first, second = audited.by_hand(
        "select position, originator_id, originator_version from stored_events order by 1 limit 2"
    )
    set_position = "update stored_events set position = %s where position = %s returning 1"
    move = "alter table stored_events alter position drop identity"
    with psycopg.connect(audited.stores[STORE].owner_url, autocommit=True) as connection:
        connection.execute(move)
        connection.execute("set session_replication_role = replica")
        for new, old in ((-1, first[0]), (first[0], second[0]), (second[0], -1)):
            assert connection.execute(set_position, (new, old)).rowcount == 1
    assert named_everywhere(audited) == sorted(("reordered", *row[1:]) for row in (first, second))


def test_a_time_that_was_stamped_anew_is_named(audited: AuditedShop) -> None:
    stream = streams(audited)[0]
    stamp = """update stored_events set recorded_at = recorded_at + interval '1 microsecond'
        where originator_id = %s and originator_version = 1 returning 1"""
    audited.by_hand(stamp, (stream,))
    assert named_everywhere(audited) == [("re-stamped", stream, 1)]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("recorded_at = 'infinity'", "re-stamped"),
        ("recorded_at = '-infinity'", "re-stamped"),
        ("recorded_at = '12000-01-01 00:00 UTC'", "re-stamped"),
        ("recorded_at = '4000-01-01 00:00 UTC BC'", "re-stamped"),
        ("xid = '18446744073709551615'", "edited"),
    ],
)
def test_a_value_that_python_cannot_hold_is_named_and_hides_nothing_else(
    audited: AuditedShop, change: str, kind: str
) -> None:
    stream, other = streams(audited)[:2]
    update = f"update stored_events set {change} where originator_id = %s and originator_version = 1 returning 1"  # noqa: S608
    audited.by_hand(update, (stream,))
    audited.by_hand(
        "delete from stored_events where originator_id = %s and originator_version = 2 returning 1", (other,)
    )
    assert named_everywhere(audited) == sorted([(kind, stream, 1), ("truncated", other, 2)])


@pytest.mark.parametrize("xid", ["xid", "'18446744073709551615'"], ids=["sealed", "never seen by the sealer"])
def test_an_event_of_a_time_that_has_not_come_does_not_stop_the_sealer(audited: AuditedShop, xid: str) -> None:
    audited.price("lid")
    update = f"""update stored_events set recorded_at = 'infinity', xid = {xid}
        where position = (select max(position) from stored_events) returning originator_id"""  # noqa: S608
    [(stream,)] = audited.by_hand(update)
    assert named_everywhere(audited) == [("inserted", stream, 1)]
    audited.price("pan")
    assert audited.seal() == 2 if xid == "xid" else 1


def test_an_event_edited_before_it_was_sealed_is_named(audited: AuditedShop) -> None:
    audited.price("lid")
    update = """update stored_events set actor = 'mallory'
        where position = (select max(position) from stored_events) returning originator_id"""
    [(stream,)] = audited.by_hand(update)
    assert named_everywhere(audited) == [("edited", stream, 1)]
    audited.seal()
    assert named_everywhere(audited) == [("edited", stream, 1)]


def test_an_event_that_is_not_sealed_in_time_is_named(audited: AuditedShop) -> None:
    audited.price("lid")
    assert audited.findings() == []
    assert [finding.kind for finding in audited.findings(patience=timedelta(0))] == ["unsealed"]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda text: text.replace("order", "Order", 1), {"altered log"}),
        (lambda text: text[: text.rindex("\n", 0, -1) + 1], {"cut log"}),
        (lambda text: "".join(text.splitlines(keepends=True)[1:]), {"altered log", "cut log"}),
        (lambda text: "", {"cut log"}),
        (lambda text: re.sub(r'",1,"', f'",{2**70},"', text, count=1), {"altered log"}),
        (lambda text: re.sub(r",\d+\]", f",{2**70}]", text, count=1), {"altered log"}),
        (lambda text: "[" * 100_000 + text[text.index("\n") :], {"altered log"}),
        (lambda text: text.replace('"order.placed"', '"order.\\ud800"'), {"altered log"}),
    ],
    ids=["edited", "cut off", "without its first line", "emptied", "huge", "far away", "deep", "half a pair"],
)
def test_leaves_that_are_not_those_that_were_signed_are_named(
    audited: AuditedShop, change: Callable[[str], str], kinds: set[str]
) -> None:
    path = audited.files().leaves
    path.write_text(change(path.read_text()))
    found = audited.findings()
    assert kinds <= {finding.kind for finding in found}
    assert judged_offline(audited.export(), audited.signer.verifier) == found


def test_leaves_rewritten_with_the_event_do_not_hide_it(audited: AuditedShop) -> None:
    """Whoever may change the database and the files lacks the key: every window has its root signed."""
    stream = streams(audited)[0]
    audited.by_hand("delete from stored_events where originator_id = %s returning 1", (stream,))
    path = audited.files().leaves
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if str(stream) not in line))
    assert {"altered log", "cut log"} & {finding.kind for finding in audited.findings()}


def test_a_checkpoint_of_another_key_or_an_edited_one_is_named(audited: AuditedShop) -> None:
    path = audited.files().checkpoints
    path.write_text(path.read_text().replace("snapshot ", "snapshot 9", 1))
    [found] = audited.findings()
    assert found.kind == "bad signature"
    assert "checkpoint 1 is not good: the signature of ordersaga/audit does not fit its text" in found.detail


def test_a_log_set_back_or_begun_anew_does_not_fit_a_checkpoint_kept_elsewhere(audited: AuditedShop) -> None:
    key = audited.signer.verifier
    notes = [note.text for note in read_notes(audited.files().checkpoints)]
    kept = KeptCheckpoints.of(notes, key)
    assert audited.findings(kept) == []
    path = audited.files().checkpoints
    path.write_text("".join(f"{note}\n" for note in notes[:-1]))
    assert {finding.kind for finding in audited.findings(kept)} == {"cut log"}
    for file in (path, audited.files().leaves):
        file.unlink()
    update = "update stored_events set actor = 'mallory' where originator_id = %s returning 1"
    audited.by_hand(update, (streams(audited)[0],))
    rechain(audited, streams(audited)[0])
    audited.seal()
    assert audited.findings() == []
    found = {f.kind for f in audited.findings(kept)}
    assert "altered log" in found


def test_an_export_that_was_changed_or_cut_off_is_named(audited: AuditedShop) -> None:
    key, export = audited.signer.verifier, audited.export()
    lines = export.splitlines(keepends=True)
    leaf = next(number for number, line in enumerate(lines) if line.startswith('{"leaf"'))
    for changed, kinds in (
        (lines[:-1], {"cut log"}),
        (lines[: len(lines) // 2], {"cut log"}),
        ([*lines[:leaf], *lines[leaf + 1 :]], {"altered log", "cut log"}),
        ([*lines[:leaf], lines[leaf].replace('"actor":"', '"actor":"x'), *lines[leaf + 1 :]], {"edited"}),
    ):
        found = {finding.kind for finding in judged_offline("".join(changed), key)}
        assert found & kinds, found
    with pytest.raises(records.BadExport, match="line 1 is not a line of an audit export"):
        judged_offline("hello\n", key)
    with pytest.raises(records.BadExport, match="before the store that it is of"):
        judged_offline("".join(lines[1:]), key)
    for column, value in (("version", 2**70), ("actor", "\ud800"), ("recorded_at", 1), ("topic", "\udfff")):
        changed = json.loads(lines[leaf])
        changed["event"][column] = value
        with pytest.raises(records.BadExport, match=f"line {leaf + 1} is not a line"):
            judged_offline("".join([*lines[:leaf], json.dumps(changed)]), key)
    with pytest.raises(records.BadExport, match="RecursionError"):
        judged_offline("[" * 100_000 + "\n", key)


def test_an_export_that_lacks_a_whole_store_is_named(audited: AuditedShop, database: Databases) -> None:
    """Cut off between two stores; without a store; and without it and its name, against a checkpoint kept elsewhere."""
    both = AuditedShop({STORE: audited.stores[STORE], "shop": database()}, audited.directory, audited.signer)
    both.seal()
    key, lines = both.signer.verifier, both.export().splitlines(keepends=True)
    [_, second] = [number for number, line in enumerate(lines) if line.startswith('{"format"')]
    assert cut_off(lines, key) == set()
    assert cut_off(lines[:second], key) == {STORE}
    assert cut_off(lines[second:], key) == {STORE}
    assert cut_off([*lines[:second], lines[-1]], key) == {"shop"}
    without = [*lines[second:-1], lines[-1].replace(f'"{STORE}",', "")]
    assert cut_off(without, key) == set()
    kept = KeptCheckpoints.of((note.text for note in read_notes(audited.files().checkpoints)), key)
    assert cut_off(without, key, kept) == {STORE}
    assert cut_off([lines[-1]], key) == {STORE, "shop"}


def cut_off(lines: list[str], key: VerifierKey, kept: KeptCheckpoints | None = None) -> set[str]:
    """The stores that are found to be."""
    found = judged_offline("".join(lines), key, kept)
    assert {finding.kind for finding in found} <= {"cut log"}
    return {finding.store for finding in found}
