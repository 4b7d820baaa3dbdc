"""Tests of compose.yaml on a real engine, skipped with the reason where none answers.

They build the image; POSTGRES_VERSION, RABBITMQ_VERSION and PYTHON_VERSION choose other tags, as in compose.yaml, for
an engine that has images of its own in place of those of the Docker Hub.
"""

import subprocess
from collections.abc import Iterator

import pytest

from devstack.state import ROOT
from tests.containers.project import Project, problem


@pytest.fixture(scope="session")
def image() -> str:
    """The image `ordersaga` of this tree."""
    if why := problem():
        pytest.skip(f"no containers here: {why}")
    command = ["docker", "build", "--quiet", "--network=host", "--build-arg=PYTHON_VERSION", "--tag=ordersaga", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    return "ordersaga"


@pytest.fixture(scope="module")
def project(image: str, request: pytest.FixtureRequest) -> Iterator[Project]:
    """Not started; the test module's `PROFILES` are its profiles."""
    project = Project(profiles=getattr(request.module, "PROFILES", ()))
    try:
        yield project
    finally:
        project.down()
