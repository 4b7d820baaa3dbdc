"""The viewer of a request: subject, role, token and time zone."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from flask import g, has_request_context, request

COOKIE = "zone"
"""assets/scheme.js sets it to the browser's zone."""


@dataclass(frozen=True)
class Viewer:
    """The signed-in person."""

    subject: str
    role: str
    token: str
    """Sent with the viewer's requests to the services."""

    @property
    def may_act(self) -> bool:
        return self.role == "operator"


NOBODY = Viewer("", "", "")
"""Dash evaluates the layout once outside any request."""


def set_viewer(viewer: Viewer) -> None:
    """Keep the viewer for this request."""
    g.viewer = viewer


def viewer() -> Viewer:
    found: Viewer = g.get("viewer", NOBODY)
    return found


def zone() -> tzinfo:
    """The viewer's time zone; UTC where the browser's zone is unknown here."""
    return known_zone(request.cookies.get(COOKIE, "UTC")) if has_request_context() else UTC


@lru_cache(maxsize=64)
def known_zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(unquote(name))
    except (LookupError, ValueError, OSError):
        # ZoneInfoNotFoundError is a LookupError.
        return UTC
