"""Fixtures of the library's tests: an outbox, and the library as others have it, for the pages that they follow."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.library.installed import Installed, build, install
from tests.support.databases import Database, Databases


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str, Callable[[Path], object]], Path]:
    """`once(name, make)` is a folder that the first worker of a run lets `make` fill, and all others find."""
    root = tmp_path_factory.getbasetemp()

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder = (root if worker_id == "master" else root.parent) / name
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                make(folder)
                (folder / "done").touch()
        return folder

    return made


@pytest.fixture(scope="session")
def built(once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A folder with the sdist, and the wheel that was built from the sdist."""
    return once("built", build)


@pytest.fixture(scope="session")
def installed(once: Callable[[str, Callable[[Path], object]], Path], built: Path) -> Installed:
    """The built wheel with its extra `http`, in a virtual environment of its own."""
    (wheel,) = built.glob("*.whl")
    return Installed(once("installed", lambda folder: install(folder, wheel, "http")) / "venv")


@pytest.fixture
def outbox(database: Databases) -> Database:
    """A fresh database of the counting service, for tests of what leaves its outbox."""
    return database()
