"""The documents point at what is there: files, headings, functions, tests, commands and their options."""

import ast
import json
import re
import shlex
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from devstack.cli import ALL, ENVIRONMENT, main
from devstack.containers.seed import seed
from devstack.demo.command import demo
from devstack.demo.scenarios import SCENARIOS
from devstack.processes import PROCESSES, RELAY, TOPOLOGY
from devstack.state import ROOT
from ordersaga.runtime import sessions
from ordersaga.runtime.sessions import SessionLimits

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
NAME = re.compile(r"`(\w+)`")
COMMAND = re.compile(r"\./ordersaga ([a-z][^#\n|)]*)")
SESSION = re.compile(r"^\|[^|\n]+" + 4 * r"\| (\d+) " + r"\|$", re.MULTILINE)
TASK = re.compile(r"^make ([a-z]+)", re.MULTILINE)

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def links(document: Path) -> list[tuple[str, Path, str]]:
    """(text, file, heading) of every link that stays in the repository; in a module, the heading is a function."""
    found = []
    for link in LINK.finditer(document.read_text()):
        file, _, heading = unquote(link["target"]).partition("#")
        if "://" not in file:
            found.append((link["text"], (document.parent / file).resolve() if file else document, heading))
    return found


def slug(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def defined(file: Path) -> set[str]:
    """Functions, classes and variables of a module, at any depth."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return names | {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


@every_document
def test_every_link_leads_to_a_file_and_a_heading_that_exist(document: Path) -> None:
    for text, file, heading in links(document):
        assert file.exists(), f"[{text}] leads to {file}"
        if heading and file.suffix == ".py":
            assert heading in defined(file), f"[{text}] leads to {heading}, which {file} does not define"
        elif heading:
            assert heading in map(slug, HEADING.findall(file.read_text())), f"[{text}] leads to #{heading}"


@every_document
def test_a_link_whose_text_is_a_name_leads_to_the_file_that_defines_it(document: Path) -> None:
    for text, file, _ in links(document):
        name = NAME.fullmatch(text)
        if name and file.suffix == ".py":
            assert name[1] in defined(file), f"{file} does not define {name[1]}"


@every_document
def test_every_command_in_a_shell_block_exists_with_its_options(document: Path) -> None:
    for block in SHELL.findall(document.read_text()):
        for line in COMMAND.findall(block):
            name, *arguments = shlex.split(line)
            assert name in ALL, f"there is no command ./ordersaga {name}"
            context = main.make_context("ordersaga", ["--help"], resilient_parsing=True)
            command = main.get_command(context, name)
            while isinstance(command, click.Group) and arguments and command.get_command(context, arguments[0]):
                command = command.get_command(context, arguments.pop(0))
            assert command is not None
            known = {option for parameter in command.params for option in parameter.opts}
            assert {argument for argument in arguments if argument.startswith("-")} <= known


@every_document
def test_every_task_in_a_shell_block_is_in_the_makefile(document: Path) -> None:
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {task for block in SHELL.findall(document.read_text()) for task in TASK.findall(block)}
    assert used <= tasks


def test_the_help_names_every_variable_that_reaches_a_process() -> None:
    passed_on = {name for process in (*PROCESSES, RELAY, TOPOLOGY) for name in process.passed_on}
    told = set(re.findall(r"\b[A-Z_]{4,}\b", ENVIRONMENT))
    assert passed_on | {"BROKER_METRICS_URL", "ERASURE_LIST"} <= told


def test_the_table_of_sessions_has_the_limits_of_every_kind_of_session() -> None:
    rows = SESSION.findall((ROOT / "docs/SCALING.md").read_text())
    kinds = [limits for limits in vars(sessions).values() if isinstance(limits, SessionLimits)]
    wanted = {(each.lock, each.statement, each.idle_in_transaction, each.idle) for each in kinds}
    assert wanted <= {tuple(map(float, row)) for row in rows}


def test_the_code_in_the_readme_stands_in_the_services_or_on_a_page_that_a_test_runs() -> None:
    pages = (ROOT / "docs" / name for name in ("FIRST_SERVICE.md", "ADOPT.md"))
    code = "\n".join(file.read_text() for file in [*sorted(ROOT.glob("*_service/*.py")), *pages])
    for block in PYTHON.findall((ROOT / "README.md").read_text()):
        assert block in code


def test_the_demo_has_as_many_kinds_of_orders_as_its_help_and_the_page_say() -> None:
    assert len(SCENARIOS) == 12
    told = [demo.help, seed.help, (ROOT / "docs" / "GETTING_STARTED.md").read_text()]
    assert all(f"{sum(each.orders for each in SCENARIOS)} orders of twelve kinds" in (text or "") for text in told)


def test_the_figures_in_the_readme_are_those_of_the_committed_baseline() -> None:
    rows = json.loads((ROOT / "benchmarks" / "baseline.json").read_text())["rows"]
    measured = {
        said for row in rows for figure in (row["value"], row["reference"]) if figure for said in spelled(figure)
    }
    _, _, section = (ROOT / "README.md").read_text().partition("## How fast")
    figures = re.findall(r"(\d[\d,.]*)(?:/s| ms| events/s)", section.partition("\n## ")[0])
    assert len(figures) > 10
    assert set(figures) <= measured


def spelled(figure: float) -> set[str]:
    """As a reader is told it: whole, or to a tenth."""
    return {f"{figure:,.0f}", f"{figure:,.1f}"}
