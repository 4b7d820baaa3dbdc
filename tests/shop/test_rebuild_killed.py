"""A rebuild that dies: the live tables are as they were, and the next run begins anew."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from devstack.state import IMPORT_PATH, ROOT
from ordersaga.readside.rebuild.progress import STEPS
from ordersaga.runtime.settings import url_variable
from tests.shop.support.trading_read_side import ReadSide, trading
from tests.support.databases import Databases


@pytest.fixture(scope="module")
def side(databases: Databases) -> Iterator[ReadSide]:
    with trading(databases) as side:
        yield side


def environment(side: ReadSide) -> dict[str, str]:
    return {**os.environ, **{url_variable(name): url for name, url in side.urls.items()}, "PYTHONPATH": IMPORT_PATH}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_live_tables_are_untouched_and_the_next_run_is_whole(side: ReadSide, step: str) -> None:
    side.by_hand("update saga_view set total = coalesce(total, 0) + 1 returning 1")
    corrupt = side.contents()
    command = [sys.executable, "-m", "tests.shop.support.killed_rebuild", step, "0"]
    died = subprocess.run(command, env=environment(side), capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert side.contents() == corrupt
    _, found = side.rebuild()
    assert {finding.table for finding in found} == {"saga_view"}
    assert side.rebuild(dry_run=True)[1] == []
    assert side.database.rows("select nspname from pg_namespace where nspname in ('rebuild', 'replaced')") == []


def test_killed_in_the_moment_after_the_swap_it_is_done(side: ReadSide) -> None:
    side.by_hand("update saga_view set total = coalesce(total, 0) + 1 returning 1")
    command = [sys.executable, "-m", "tests.shop.support.killed_rebuild", "swap", "1"]
    assert subprocess.run(command, env=environment(side), check=False).returncode == -signal.SIGKILL
    assert side.rebuild()[1] == []


def test_interrupted_it_leaves_nothing_behind_and_says_so(side: ReadSide) -> None:
    before = side.contents()
    command = [sys.executable, "-m", "devstack", "projections", "rebuild", "--patience", "1000"]
    lost = side.by_hand("delete from event_log where contract = 'orders.order_placed.v1' returning message_id")
    process = subprocess.Popen(
        command, env={**environment(side), "AMQP_URL": "amqp://unused"}, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    said = ""
    while "compare" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    assert "live tables are as they were" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert side.database.rows("select nspname from pg_namespace where nspname in ('rebuild', 'replaced')") == []
    assert len(side.contents()["event_log"]) == len(before["event_log"]) - len(lost)
