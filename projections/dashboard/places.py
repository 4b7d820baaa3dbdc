"""Where the dashboard is."""

from uuid import UUID

ROOT = "/dashboard/"


def place(path: str = "") -> str:
    """The address of a page; `path` is relative to the dashboard's root."""
    return ROOT + path


def id_of(text: str | None) -> UUID | None:
    """What an address or a person names, when it is an id."""
    try:
        return UUID((text or "").strip())
    except ValueError:
        return None
