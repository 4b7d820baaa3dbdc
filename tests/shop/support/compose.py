"""compose.yaml as Docker Compose reads it: variables filled in, anchors merged."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from devstack.state import ROOT

VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\})")
REQUIRED = re.compile(r"\$\{([A-Z_]+):\?[^}]+\}")
FILE = ROOT / "compose.yaml"


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file in this environment; only `${NAME:-default}` and `$$` are understood, so that nothing else is used."""

    def fill_in(found: re.Match[str]) -> str:
        return "$" if found["escaped"] else environment.get(found["name"]) or found["default"]

    content: dict[str, Any] = yaml.safe_load(VARIABLE.sub(fill_in, FILE.read_text()))
    return content


def variables() -> dict[str, str]:
    """Every variable that the file fills in, with its default."""
    found = VARIABLE.finditer(FILE.read_text())
    return {match["name"]: match["default"] for match in found if match["name"]}


def required() -> list[str]:
    """The variables without which nothing starts, unless DEV is 1."""
    return REQUIRED.findall((ROOT / "docker" / "dev-0.yaml").read_text())
