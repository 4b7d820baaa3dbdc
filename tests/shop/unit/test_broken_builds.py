"""Each broken build still breaks the line that it names: a change of the code cannot disarm it unnoticed."""

import pytest

from devstack.chaos.builds.build import Build, Line
from devstack.chaos.builds.catalogue import BUILDS
from devstack.chaos.builds.command import controlled
from devstack.state import ROOT


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_each_text_stands_once_in_its_file_and_what_stands_instead_is_python(build: Build) -> None:
    for line in build.lines:
        compile(line.exchanged((ROOT / line.file).read_text()), line.file, "exec")


def test_a_text_that_is_gone_or_stands_twice_is_an_error() -> None:
    line = Line("a.py", "one", "two")
    for source in ("", "one one"):
        with pytest.raises(LookupError, match=r"a\.py"):
            line.exchanged(source)


def test_each_harm_is_controlled_once() -> None:
    assert 1 < len(controlled(BUILDS)) < len(BUILDS)
