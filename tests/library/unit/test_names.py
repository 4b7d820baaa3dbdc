"""A class name of the library means one class: who reads it need not ask which room it is from."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import ordersaga

SOURCE = Path(ordersaga.__path__[0])


def classes_of(folder: Path) -> dict[str, list[str]]:
    """The files of each name of a class at the top of a module; alembic's revisions have none."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(file.relative_to(folder)))
    return dict(found)


@pytest.mark.parametrize(("name", "files"), classes_of(SOURCE).items())
def test_a_class_name_is_used_once(name: str, files: list[str]) -> None:
    assert len(files) == 1, f"{name} is a class in {' and in '.join(files)}"


def test_a_name_that_two_modules_use_is_seen(tmp_path: Path) -> None:
    for room in ("relay", "audit"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "rows.py").write_text("class Row:\n    class Nested: ...\n")
    assert classes_of(tmp_path) == {"Row": ["audit/rows.py", "relay/rows.py"]}
