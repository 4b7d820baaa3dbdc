"""Schedules that run on the models and on the real servers at once."""

from contextlib import closing
from unittest.mock import patch

from tests.simulation.paired_broker import PairedBroker, RealTopology
from tests.simulation.paired_postgres import PairedPostgres
from tests.simulation.run import run
from tests.simulation.steps import Step, made
from tests.support.databases import Database

ONLY_IN_THE_MODEL = ("crash", "suspend", "fill", "store", "go_on")
"""Nobody can make the real servers do these at a step: they have tests of their own."""


def schedule(seed: int, count: int) -> list[Step]:
    return [step for step in made(seed, count) if step.name not in ONLY_IN_THE_MODEL]


def run_paired(seed: int, count: int, database: Database, topology: RealTopology) -> int:
    """Run a schedule on both. Returns how many answers were compared. Raises Differs, with the schedule in a note."""
    steps = schedule(seed, count)
    # As the `random()` of the real database.
    with closing(PairedPostgres(database)) as postgres, patch("random.random", lambda: 0.0):
        queues = PairedBroker(topology)
        try:
            run(steps, seed, postgres, queues)
            queues.compare()
        except Exception as error:
            error.add_note("\n".join((f"seed {seed}:", *map(str, steps))))
            raise
        return postgres.compared + queues.compared
