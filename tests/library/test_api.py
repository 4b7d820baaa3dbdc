"""The names that are the library: docs/API.md lists them all, and each says how it is used."""

import ast
import inspect
import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import ordersaga
import ordersaga.http
from tests.support.workers import ROOT

PAGE = (ROOT / "docs" / "API.md").read_text()
SECTIONS = dict(re.findall(r"^## `(\S+)`.*?\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
PACKAGES = (ordersaga, ordersaga.http)
by_name = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)


def objects(package: ModuleType) -> dict[str, Any]:
    return {name: getattr(package, name) for name in package.__all__ if not name.startswith("__")}


@by_name
def test_the_page_lists_the_names_of_the_package_and_no_others(package: ModuleType) -> None:
    listed = re.findall(r"^\| (.+?) \|", SECTIONS[package.__name__], re.M)
    names = [name for cell in listed for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(names) == sorted(package.__all__)


@by_name
def test_every_name_is_there_and_says_how_it_is_used(package: ModuleType) -> None:
    for name, found in objects(package).items():
        assert len(found.__doc__ or "") > 20, name
        assert found.__module__.startswith("ordersaga."), name


@by_name
def test_a_type_checker_sees_the_names_where_they_are_imported_from(package: ModuleType) -> None:
    """The imports under TYPE_CHECKING and the table of lazy names are one list, written twice."""
    tree = ast.parse(inspect.getsource(package))
    seen = {
        alias.name: node.module
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    (table,) = (node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    assert seen == ast.literal_eval(table)
    assert seen.keys() == objects(package).keys()
    assert all(getattr(import_module(module or ""), name) is getattr(package, name) for name, module in seen.items())


@by_name
def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nobody'"):
        _ = package.Nobody


def test_what_a_name_raises_and_measures_is_said() -> None:
    """Of those with errors and units of their own."""
    for found in (ordersaga.announce, ordersaga.decide, ordersaga.database_url, ordersaga.sqlalchemy_session):
        assert "Raises:" in (inspect.getdoc(found) or "")
    assert "Args:" in (inspect.getdoc(ordersaga.Service) or "")


def test_star_import_gives_all_names() -> None:
    names: dict[str, Any] = {}
    exec("from ordersaga import *", names)  # noqa: S102 - what a person types
    assert {name for name in names if not name.startswith("__")} == objects(ordersaga).keys()
    assert "ordersaga" in sys.modules
