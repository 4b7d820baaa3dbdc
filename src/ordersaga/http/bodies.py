"""Request bodies: small JSON objects, parsed by strict_json instead of the framework."""

from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from ordersaga.envelope.strict_json import UnacceptableJson, parse
from ordersaga.http.problems import FieldError, Problem

MAX_BODY_BYTES = 64 * 1024


class StrictRequest(Request):
    """A request that refuses any body other than a JSON object; no body counts as an empty object."""

    # werkzeug truncates a body without a declared length; one more byte reveals that it was longer.
    max_content_length = MAX_BODY_BYTES + 1

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Raises Problem: 415 when the content type is not JSON, 400 when the JSON is not acceptable."""
        data = self.get_data()
        if len(data) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        if not data:
            return {}
        if self.mimetype != "application/json" or self.headers.get("Content-Encoding", "identity") != "identity":
            raise Problem(415, "unsupported-media-type", "Send the body as application/json, not compressed.")
        try:
            return parse(data)
        except UnacceptableJson as error:
            field = FieldError(field=error.field, message=str(error))
            raise Problem(400, "unacceptable-json", f"The body cannot be read: {error}.", [field]) from None
