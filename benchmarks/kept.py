"""The figures that are kept in the repository, for the tables and pictures of docs/BENCHMARKS.md."""

import json
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parent / "figures"


def file_of(name: str) -> Path:
    """Where the figures of this name are kept."""
    return FIGURES / f"{name}.json"


def kept(name: str) -> Any:
    """None when it has not been measured."""
    path = file_of(name)
    return json.loads(path.read_text()) if path.exists() else None
