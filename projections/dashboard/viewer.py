"""Who looks at the dashboard, as far as pages need to know: their time zone and what they may do."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from flask import g, has_request_context, request

COOKIE = "zone"
"""Set by assets/scheme.js to the browser's own zone."""


@dataclass(frozen=True)
class Viewer:
    """The signed-in person."""

    subject: str
    role: str
    token: str
    """What their actions at the services are signed with."""

    @property
    def may_act(self) -> bool:
        return self.role == "operator"


NOBODY = Viewer("", "", "")
"""Dash looks at the layout once before anybody asks for it."""


def enter(viewer: Viewer) -> None:
    """For the length of this request."""
    g.viewer = viewer


def viewer() -> Viewer:
    found: Viewer = g.get("viewer", NOBODY)
    return found


def zone() -> tzinfo:
    """The viewer's time zone, and UTC where the browser's is not known here."""
    return known_zone(request.cookies.get(COOKIE, "UTC")) if has_request_context() else UTC


@lru_cache(maxsize=64)
def known_zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(unquote(name))
    except (ValueError, OSError):
        return UTC
