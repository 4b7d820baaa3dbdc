"""The explorer on a real stack: a few entries of each kind of process, and one that is never reached."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from devstack.chaos.explorer import exploration
from devstack.chaos.explorer.exploration import Exploration, Explored
from devstack.chaos.explorer.product import Entry
from devstack.chaos.explorer.stage import explorer_stage

ENTRIES = [
    Entry("command.flushed", "kill", "orders-api"),
    Entry("receive.before-ack", "kill", "payments-worker"),
    Entry("outside.after-call", "exception", "payments-worker"),
    Entry("relay.before-cursor", "kill", "inventory-relay"),
    Entry("project.logged", "stall", "projections-worker"),
    Entry("rebuild.before-commit", "kill", "rebuild"),
    Entry("seal.appended", "kill", "audit-sealer"),
]
ELSEWHERE = Entry("seal.signed", "kill", "orders-worker")
"""No worker seals."""


@pytest.mark.timeout(400)
def test_a_process_that_dies_fails_or_stalls_at_a_boundary_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with explorer_stage(tmp_path, Console(quiet=True), os.environ) as stage:
        exploring = Exploration(stage, tmp_path / "entries.jsonl")
        said: list[Explored] = []
        found = exploring.run(ENTRIES, said.append)
        assert [str(each) for each in found if not each.is_good] == []
        assert said == found
        monkeypatch.setattr(exploration, "REACHED_SECONDS", 1)
        [missed] = exploring.run([ELSEWHERE], said.append)
        assert (missed.reached, missed.wrong, missed.is_good) == (False, [], False)
        assert [verdict for verdict in exploring.verdicts(lambda _: None) if not verdict.is_good] == []
