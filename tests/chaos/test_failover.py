"""A Postgres dies and its standby takes over: commits that wait for it are kept, and the loss of others is caught."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from devstack.chaos.cluster.caught import RELAY, SAYS_LOST
from devstack.chaos.cluster.failover import ON_PAIR, Failover
from devstack.chaos.cluster.pair import Mode, Pair, running_pair
from devstack.chaos.cluster.stage import stage_on_pair
from devstack.chaos.rendering import as_text
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import LOST
from devstack.demo.books import read_books
from devstack.processes import CONTEXTS
from devstack.state import ROOT, State
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.server.primaries import primaries
from tests.support.wait import until

CONSOLE = Console(stderr=True, quiet=True)
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def directory() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="ordersaga-chaos-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def failed_over(stage: Stage, pair: Pair) -> Failover:
    done = Failover(stage, pair, print)
    done.run(seconds=8, rate=5, seed=1)
    return done


def test_with_synchronous_replication_a_failover_at_any_moment_loses_nothing(directory: Path) -> None:
    mode: Mode = "synchronous"
    with stage_on_pair(directory, CONSOLE, os.environ, mode, ON_PAIR[mode]) as (stage, pair):
        done = failed_over(stage, pair)
        assert all(verdict.is_good for verdict in done.judged), as_text(done.judged)


def test_what_an_asynchronous_standby_has_lost_is_caught_and_the_runbook_settles_it(directory: Path) -> None:
    mode: Mode = "asynchronous"
    with stage_on_pair(directory, CONSOLE, os.environ, mode, ON_PAIR[mode]) as (stage, pair):
        done = failed_over(stage, pair)
        [caught] = done.judged
        assert caught.is_good, as_text(done.judged)
        assert caught.counts[LOST] > 0
        follow_the_runbook(stage)


def follow_the_runbook(stage: Stage) -> None:
    """docs/runbooks/HistoryLost.md, from the third step of Mend on."""
    found = command(stage, "reconcile", "--json", expect=1)
    [database] = ON_PAIR["asynchronous"]
    prefix = CONTEXTS[database]
    lost = {each["key"] for each in json.loads(found)["findings"] if str(each["contract"]).startswith(f"{prefix}.")}
    assert lost
    shop = stage.scene.make_shop()
    for order in lost & kept(stage).keys():
        command(stage, "audit", "trail", "--order", order)
        shop.refund_part(UUID(order), kept(stage)[order], "its order was lost in a failover")
    until(lambda: not lost & kept(stage).keys(), seconds=60, every=0.5)
    command(stage, "projections", "rebuild")
    command(stage, "projections", "rebuild", "--dry-run")
    assert SAYS_LOST in stage.scene.said_by(RELAY)
    stage.scene.identity(RELAY).signal(signal.SIGTERM)
    until(lambda: not stage.scene.said_by(RELAY), seconds=60, every=0.5)


def kept(stage: Stage) -> dict[str, int]:
    """Order -> what the card processor keeps of it, of those that orders does not know, in cents."""
    known = {str(order.id) for order in read_books(stage.scene.application.owner_urls(), {"charges": []}).orders}
    left: Counter[str] = Counter()
    for charge in stage.scene.make_shop().ledger()["charges"]:
        if charge["status"] == "succeeded" and charge["order_id"] not in known:
            left[charge["order_id"]] += charge["amount"] - charge["amount_refunded"]
    return {order: amount for order, amount in left.items() if amount}


def command(stage: Stage, *arguments: str, expect: int = 0) -> str:
    """What the launcher prints for the stack of this stage."""
    whole = [sys.executable, "-P", "-m", "devstack", *arguments, "--state", str(stage.scene.state.directory)]
    done = subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == expect, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_a_former_primary_that_comes_back_is_named_beside_the_new_one(directory: Path) -> None:
    with running_pair(State(directory).create(), "asynchronous") as pair:
        url = pair.url("postgres")
        assert list(primaries("postgres", url)) == []
        pair.fail_over()
        assert list(primaries("postgres", url)) == []
        pair.standby.start()
        [found] = primaries("postgres", url)
        assert isinstance(found, DiagnosisFinding)
        assert f"stop 127.0.0.1:{pair.standby.port} at once" in found.remedy
        assert "(timeline 1)" in found.what
        assert "(timeline 2)" in found.what
