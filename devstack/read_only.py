"""URLs of databases for read-only sessions."""

from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict, make_conninfo

ONLY_READS = "-c default_transaction_read_only=on"
"""An option of the session. It protects from mistakes and is no right: `set transaction read write` lifts it."""


def read_only(url: str) -> str:
    """The same URL, or connection string, for a read-only session."""
    given = str(conninfo_to_dict(url).get("options") or "")
    if given or "://" not in url:
        return make_conninfo(url, options=f"{given} {ONLY_READS}".strip())
    return f"{url}{'&' if '?' in url else '?'}options={quote(ONLY_READS)}"
