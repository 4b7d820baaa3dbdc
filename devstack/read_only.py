"""URLs of databases whose sessions only read."""

from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict, make_conninfo

ONLY_READS = "-c default_transaction_read_only=on"
"""What a session is told at its start. It keeps a person from mistakes: `set transaction read write` lifts it."""


def read_only(url: str) -> str:
    """The same URL, or connection string, for a session whose transactions only read."""
    given = str(conninfo_to_dict(url).get("options") or "")
    if given or "://" not in url:
        return make_conninfo(url, options=f"{given} {ONLY_READS}".strip())
    return f"{url}{'&' if '?' in url else '?'}options={quote(ONLY_READS)}"
