"""The checker sees: each build that is broken on purpose is caught within a minute, and the unbroken code is clean."""

from pathlib import Path

import pytest
from rich.console import Console

from devstack.chaos.builds.build import Build
from devstack.chaos.builds.catalogue import BUILDS
from devstack.chaos.builds.command import controlled
from devstack.chaos.builds.harm import Harm
from devstack.chaos.builds.proof import control, prove

QUIET = Console(quiet=True)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_a_broken_build_is_caught_by_the_verdict_it_is_made_for(build: Build, tmp_path: Path) -> None:
    proof = prove(build, tmp_path, QUIET)
    assert build.caught_by in proof.bad, proof.said
    assert proof.seconds < 60


@pytest.mark.parametrize("harm", controlled(BUILDS), ids=lambda harm: harm.does)
def test_the_unbroken_code_is_clean_under_the_same_load_and_harm(harm: Harm, tmp_path: Path) -> None:
    proof = control(harm, tmp_path, QUIET)
    assert not proof.bad, (proof.said, [verdict for verdict in proof.verdicts if not verdict.is_good])
