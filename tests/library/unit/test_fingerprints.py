"""The fingerprint of an aggregate's code changes with everything that makes its state, and with nothing else."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from eventsourcing.domain import BaseAggregate

from ordersaga.store import fingerprint as module
from ordersaga.store.fingerprint import UNKNOWN, fingerprint
from tests.support.counting import Counter

CODE = {
    "till/__init__.py": "PLACE = 1\n",
    "till/drawer.py": '''"""A drawer."""

from till import box, rules
from till.base import Base
from .money import rounded


class Drawer(Base):
    def __init__(self):
        """An empty one."""
        self.coins = 0

    def put(self, coins):
        self.coins += rounded(coins) * rules.FACTOR  # as counted
''',
    "till/base.py": "class Base:\n    def empty(self):\n        self.coins = 0\n",
    "till/money.py": "def rounded(coins):\n    return coins // 1\n",
    "till/rules.py": "FACTOR = 1\n",
    "till/unrelated.py": "NAME = 'x'\n",
    "till/box/__init__.py": "from ..scale import GRAMS\nfrom . import lid\n",
    "till/scale.py": "GRAMS = 1\n",
    "till/box/lid.py": "from .. import drawer\nSHUT = 1\n",
}
Change = Callable[[str, str, str], str]


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Change]:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "till" / "box").mkdir(parents=True)

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "till"]:
            del sys.modules[name]
        fingerprint.cache_clear()
        module.parsed.cache_clear()

    def code(file: str, old: str, new: str) -> str:
        """The fingerprint of the drawer when `old` is `new` in this file."""
        for name, text in CODE.items():
            assert name != file or old in text
            (tmp_path / name).write_text(text.replace(old, new) if name == file else text)
        forget()
        kind: type = import_module("till.drawer").Drawer
        return fingerprint(kind)

    yield code
    forget()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("drawer", "+= rounded", "-= rounded"),
        ("drawer", "self.coins = 0", "self.coins = 0\n        self.notes = 0"),
        ("drawer", "class Drawer(Base):", "class Drawer(Base):\n    class_version = 2"),
        ("base", "self.coins = 0", "self.coins = 1"),
        ("money", "// 1", "// 5"),
        ("rules", "1", "2"),
        ("__init__", "1", "2"),
        ("box/__init__", "GRAMS", "GRAMS as UNIT"),
        ("scale", "1", "2"),
        ("box/lid", "SHUT = 1", "SHUT = 2"),
    ],
    ids=[
        "mutator",
        "attribute",
        "class version",
        "base",
        "relative import",
        "constant of a module",
        "the package itself",
        "a package in it",
        "what that imports from above",
        "a module that imports the first one again",
    ],
)
def test_a_change_of_what_makes_the_state_changes_it(changed: Change, file: str, old: str, new: str) -> None:
    before = changed("till/unrelated.py", "x", "x")
    assert UNKNOWN != before != changed(f"till/{file}.py", old, new) != UNKNOWN


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("drawer", "  # as counted", ""),
        ("drawer", '"""An empty one."""', '"""Nothing in it."""\n'),
        ("drawer", "self.coins += ", "self.coins    +=  "),
        ("unrelated", "x", "y"),
    ],
    ids=["comment", "docstring", "layout", "a module that it does not import"],
)
def test_nothing_else_changes_it(changed: Change, file: str, old: str, new: str) -> None:
    assert changed(f"till/{file}.py", old, new) == changed("till/rules.py", "1", "1")


def test_code_without_its_source_has_none_and_is_named(
    changed: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed("till/rules.py", "1", "1")
    kind: type = import_module("till.drawer").Drawer
    (tmp_path / "till" / "base.py").unlink()
    fingerprint.cache_clear()
    module.parsed.cache_clear()
    assert fingerprint(kind) == UNKNOWN
    monkeypatch.setattr(module, "kinds_of_aggregates", lambda: [BaseAggregate, Counter, kind])
    assert module.without_source() == ["till.drawer.Drawer"]
