"""The addresses of the dashboard's pages, and the ids in them."""

from uuid import UUID

ROOT = "/dashboard/"


def address(path: str = "") -> str:
    """The address of a page; `path` is relative to the dashboard's root."""
    return ROOT + path


def parked_group(service: str, failure: str) -> str:
    """The page of one failure group of parked messages."""
    return address(f"parked/{service}/{failure}")


def parked_message(service: str, refused_by: str, message_id: object) -> str:
    """The page of one parked message; a reaction and the broker may refuse the same message."""
    return address(f"parked/{service}/{refused_by}/{message_id}")


def parse_id(text: str | None) -> UUID | None:
    """The id in an address or a search field; None where the text is no UUID."""
    try:
        return UUID((text or "").strip())
    except ValueError:
        return None
