"""The query of the address that a page is opened with."""

from urllib.parse import parse_qs

from flask import g


def set_query(text: str | None) -> None:
    """Keep the query of this request's page; `text` is the part of the address from the question mark on."""
    g.page_query = parse_qs((text or "").removeprefix("?"))


def asked(name: str) -> str:
    """A value of the query; empty without one."""
    found: list[str] = g.get("page_query", {}).get(name, [])
    return found[0] if found else ""
