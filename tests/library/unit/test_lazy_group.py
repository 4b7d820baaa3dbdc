"""A command whose packages are not installed says which extra of ordersaga has them."""

import sys

import pytest
from click.testing import CliRunner

from ordersaga.cli.main import main


def test_a_missing_package_is_named_with_its_extra_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ordersaga.cli.token", "ordersaga.http.tokens"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "jwt", None)
    said = CliRunner().invoke(main, ["--app", "nowhere", "token", "--help"])
    assert said.exit_code == 2
    assert "`token` needs the package jwt: pip install 'ordersaga[http]'" in said.stderr


def test_an_error_of_the_library_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ordersaga.cli.token", raising=False)
    monkeypatch.setitem(sys.modules, "ordersaga.http.tokens", None)
    assert isinstance(CliRunner().invoke(main, ["token", "--help"]).exception, ModuleNotFoundError)
