"""The addresses of the dashboard's pages, and the ids in them."""

from uuid import UUID

ROOT = "/dashboard/"


def address(path: str = "") -> str:
    """The address of a page; `path` is relative to the dashboard's root."""
    return ROOT + path


def parse_id(text: str | None) -> UUID | None:
    """The id in an address or a search field; None where the text is no UUID."""
    try:
        return UUID((text or "").strip())
    except ValueError:
        return None
