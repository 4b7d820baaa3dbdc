"""Fixtures of the library's tests: an outbox, and the library as others have it, for the pages that they follow."""

import fcntl

import pytest

from tests.library.installed import Installed, install
from tests.support.databases import Database, Databases


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Installed:
    """The built wheel with its extra `http`, in a virtual environment of its own: one for all workers of a run."""
    if worker_id == "master":
        return install(tmp_path_factory.mktemp("installed"), "http")
    folder = tmp_path_factory.getbasetemp().parent / "installed"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if done.exists():
            return Installed(folder / "venv")
        found = install(folder, "http")
        done.touch()
        return found


@pytest.fixture
def outbox(database: Databases) -> Database:
    """A fresh database of the counting service, for tests of what leaves its outbox."""
    return database()
