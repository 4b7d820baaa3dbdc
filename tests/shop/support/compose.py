"""compose.yaml as Docker Compose reads it: variables filled in, anchors merged."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from devstack.state import ROOT

VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\})")


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file in this environment; only `${NAME:-default}` and `$$` are understood, so that nothing else is used."""

    def fill_in(found: re.Match[str]) -> str:
        return "$" if found["escaped"] else environment.get(found["name"]) or found["default"]

    text = (ROOT / "compose.yaml").read_text()
    content: dict[str, Any] = yaml.safe_load(VARIABLE.sub(fill_in, text))
    return content


def variables() -> dict[str, str]:
    """Every variable that the file fills in, with its default."""
    found = VARIABLE.finditer((ROOT / "compose.yaml").read_text())
    return {match["name"]: match["default"] for match in found if match["name"]}
