"""Early refusals: problem documents (RFC 9457) for requests that never reach the app."""

import json

from prometheus_client import Counter

from ordersaga.http.problems import MEDIA_TYPE

REFUSED = Counter("http_server_requests_refused_total", "Requests refused before they reached the app", ["reason"])
SINGLE = ("AUTHORIZATION", "CONTENT-TYPE", "IDEMPOTENCY-KEY", "LAST-EVENT-ID", "ORIGIN", "SEC-FETCH-SITE")
"""Headers of which WSGI joins two into one value that the client did not send."""


def repeated_among(names: list[str]) -> str:
    """A header that must be single and is not, else an empty text."""
    return next((name for name in SINGLE if names.count(name) > 1), "")


def problem(status: int, reason: str, detail: str, headers: str = "") -> bytes:
    """A response with a problem document (RFC 9457), which ends the connection."""
    kind = reason.lower().replace(" ", "-")
    document = {"type": f"urn:problem:{kind}", "title": reason, "status": status, "detail": detail}
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{headers}Connection: close\r\n\r\n".encode() + body
