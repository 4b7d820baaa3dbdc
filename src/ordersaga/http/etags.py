"""ETags are versions of aggregates: a request may require that the aggregate is still at a version."""

import re

from flask import request

from ordersaga.http.problems import Problem

VERSION = re.compile(r"[1-9][0-9]{0,17}")


def etag(version: int) -> str:
    """The ETag of an aggregate at this version."""
    return f'"{version}"'


def version_of(tag: str) -> int:
    """The version in an ETag; 0 when it is none of `etag`."""
    version = tag.strip('"')
    return int(version) if VERSION.fullmatch(version) else 0


def expected_version() -> int | None:
    """The version in If-Match; None when there is no such header, or it is `*`.

    Raises:
        Problem: 412 when the header is not one ETag of this service.
    """
    tags = request.if_match
    if "If-Match" not in request.headers or tags.star_tag:
        return None
    versions = tags.as_set()
    if len(versions) != 1 or not VERSION.fullmatch(version := versions.pop()):
        raise precondition_failed()
    return int(version)


def precondition_failed(current: int | None = None) -> Problem:
    detail = "It does not have the version that If-Match names. Read it again, then decide again."
    headers = {} if current is None else {"ETag": etag(current)}
    return Problem(412, "precondition-failed", detail, headers=headers)
