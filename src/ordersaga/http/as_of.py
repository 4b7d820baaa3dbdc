"""`?as_of=`: the version or time at which a resource is shown."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from ordersaga.http.etags import VERSION
from ordersaga.http.openapi import Query

TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+ -]\d\d:\d\d)", re.ASCII)
SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": 10**18 - 1}, {"type": "string", "format": "date-time"}]
}


def version_or_time(text: object) -> int | datetime:
    """Parse a version or a time; an unescaped `+` of a time zone arrives as a space. Raises ValueError."""
    if isinstance(text, str) and VERSION.fullmatch(text):
        return int(text)
    if isinstance(text, str) and TIME.fullmatch(text):
        return datetime.fromisoformat(text[:19].replace(" ", "T") + text[19:].replace(" ", "+").upper())
    raise ValueError("must be a version such as 2, or an RFC 3339 time such as 2026-03-01T12:00:00Z")


def time_only(text: object) -> datetime:
    moment = version_or_time(text)
    if not isinstance(moment, datetime):
        raise ValueError("must be an RFC 3339 time such as 2026-03-01T12:00:00Z")
    return moment


Time = Annotated[datetime, BeforeValidator(time_only), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An RFC 3339 time in a query string."""


class AsOf(Query):
    """Without `as_of`, the current state."""

    as_of: Annotated[int | datetime | None, BeforeValidator(version_or_time), WithJsonSchema(SCHEMA)] = Field(
        default=None, description="A version, or an RFC 3339 time."
    )
