"""The common parts of the OpenAPI descriptions: models of requests and responses, roles, the documentation page."""

from functools import cache
from http import HTTPStatus
from typing import Any, Self, cast

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ordersaga.http.problems import MEDIA_TYPE, ProblemDocument, of_validation

Responses = dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None]
"""Status -> the view or the problem, as the routes describe them."""
SCHEME = "bearer"
SECURITY_SCHEMES = {SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""A name that stays one segment of a path: neither `..` nor anything that is escaped."""

NO_OTHER_HOST = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
"""Content-Security-Policy of the documentation page."""

PAGE_SETTINGS = {
    # By default the page sends the description to a validator on the internet.
    "SWAGGER_CONFIG": {"validatorUrl": None, "persistAuthorization": True},
    "OPENAPI_HTML_STRING": '<!doctype html><meta http-equiv="refresh" content="0; url=swagger">',
}


@cache
def cached_schema(model: type["Parameters"], *args: Any, **options: Any) -> dict[str, Any]:
    return super(Parameters, model).model_json_schema(*args, **options)


class Parameters(BaseModel):
    """Caches the schema: flask-openapi3 asks for it on every request, and making it takes 150 microseconds."""

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        return cached_schema(cls, *args, **options)


class Query(Parameters):
    """A model of the parameters in a URL; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class Headers(Parameters):
    """Headers of the operation; malformed ones are a bad request, unknown ones are ignored."""

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise of_validation(error, status=400) from None


KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
KEY_TEXT = "The caller's name for this request: sent again with the same key, it takes effect once."


class Keyed(Headers):
    """Headers of an operation that must take effect once."""

    idempotency_key: str = Field(alias="Idempotency-Key", pattern=KEY_PATTERN, description=KEY_TEXT)


class Conditional(Headers):
    """Headers of a change that must not overwrite another one."""

    if_match: str | None = Field(default=None, alias="If-Match", description="The ETag that the decision is based on.")


class Body(BaseModel):
    """A model of a request body; it refuses unknown fields, and converts no strings to numbers or back."""

    model_config = ConfigDict(extra="forbid", strict=True)


def example(required: bool = True, **fields: Any) -> ConfigDict:
    """The example body that the documentation shows and its page sends."""
    return cast(ConfigDict, {"openapi_extra": {"required": required, "example": fields}})


class View(BaseModel):
    """A frozen model of what an endpoint shows: the body of an answer, and its description."""

    model_config = ConfigDict(frozen=True)


def only(*roles: str) -> list[dict[str, list[Any]]]:
    """The operation's `security`: described in OpenAPI and enforced by `app.Api`."""
    return [{SCHEME: list(roles)}]


def problem(description: str = "Refused, and why") -> dict[str, Any]:
    """A problem document as a described response."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def forbid_other_hosts(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = NO_OTHER_HOST
    return response
