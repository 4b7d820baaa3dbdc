"""A class name is used once in the library: whoever reads one in a traceback or a search knows which it is."""

import ast
from collections import defaultdict
from pathlib import Path

LIBRARY = Path(__file__).parents[3] / "src" / "ordersaga"


def test_no_two_classes_of_the_library_share_a_name() -> None:
    files: dict[str, list[str]] = defaultdict(list)
    for file in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                files[node.name].append(str(file.relative_to(LIBRARY)))
    assert len(files) > 100
    assert {name: found for name, found in files.items() if len(found) > 1} == {}
