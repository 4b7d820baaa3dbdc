"""The library as others have it, for the pages that they follow."""

import pytest

from tests.library.installed import Installed, install


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The built wheel with its extra `http`, in a virtual environment of its own."""
    return install(tmp_path_factory.mktemp("installed"), "http")
