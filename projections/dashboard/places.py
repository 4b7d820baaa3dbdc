"""Where the dashboard is."""

ROOT = "/dashboard/"


def place(path: str = "") -> str:
    """The address of a page; `path` is relative to the dashboard's root."""
    return ROOT + path
