"""The ids that callbacks name stand in the layouts of the pages: one that does not stops the page in the browser."""

from typing import Any, cast
from unittest.mock import MagicMock
from uuid import UUID

import pytest
from dash.development.base_component import Component
from flask import Flask

from projections.dashboard.app import make
from projections.dashboard.pages import infrastructure, parked, webhooks

MESSAGE = UUID(int=7)
LAYOUTS = {
    ("parked",): lambda: parked.layout(""),
    ("parked", "group", "run"): lambda: parked.layout("order_service/0123abcd"),
    ("message",): lambda: parked.layout(f"order_service/reaction/{MESSAGE}"),
    ("webhook",): lambda: webhooks.layout(str(MESSAGE)),
    ("pause",): lambda: infrastructure.layout(""),
}
"""Prefixes of the ids on a page -> its layout."""


def ids(component: Any) -> set[str]:
    return {
        each.id for each in [component, *component._traverse()] if isinstance(each, Component) and hasattr(each, "id")
    }


@pytest.mark.parametrize("prefixes", LAYOUTS, ids="-".join)
def test_every_id_of_a_callback_of_a_page_stands_in_its_layout(prefixes: tuple[str, ...]) -> None:
    server = Flask("ids")
    dash = make(server, cast(Any, MagicMock()))
    with server.test_request_context():
        known = ids(LAYOUTS[prefixes]())
    named = {
        name
        for callback in dash.callback_map.values()
        for name in [each["id"] for each in callback["inputs"] + callback["state"]] + outputs(callback)
        if isinstance(name, str)
    }
    asked = {name for name in named if name.partition("-")[0] in prefixes}
    assert len(asked) > 5
    assert asked - known == set()


def outputs(callback: dict[str, Any]) -> list[str]:
    found = callback["output"]
    return [each.component_id for each in (found if isinstance(found, list | tuple) else [found])]
