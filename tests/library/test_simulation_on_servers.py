"""The models of the simulation do what the real servers do, statement by statement and message by message."""

from contextlib import closing

from tests.simulation.installed import installed
from tests.simulation.paired_broker import RealTopology
from tests.simulation.pairs import run_paired
from tests.support.broker import TestBroker
from tests.support.databases import Database

SEEDS = (0, 1, 2)


def test_a_schedule_has_the_same_answers_from_the_models_and_from_the_servers(
    outbox: Database, broker: TestBroker
) -> None:
    with installed(), closing(RealTopology(broker)) as topology:
        compared = sum(run_paired(seed, 30, outbox, topology) for seed in SEEDS)
    assert compared > 100
